# Bugsink on loopback for one test: all that it writes is in the present folder.
import os

from bugsink.settings.default import *  # noqa

SECRET_KEY = "for-tests-only-" * 4
DATABASES["default"]["NAME"] = os.path.join(os.getcwd(), "db.sqlite3")
DATABASES["snappea"]["NAME"] = os.path.join(os.getcwd(), "snappea.sqlite3")
SNAPPEA = {"TASK_ALWAYS_EAGER": True}
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
ALLOWED_HOSTS = ["127.0.0.1"]
BUGSINK = {
    "BASE_URL": "http://127.0.0.1:" + os.environ.get("BUGSINK_PORT", "8000"),
    "SINGLE_USER": True,
    "SINGLE_TEAM": True,
    "PHONEHOME": False,
}
