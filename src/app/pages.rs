//! Pages: which panels they have, and where those stand.

use crate::domain::ServiceName;
use crate::domain::runs::{BookId, RunId};
use crate::panels::{About, Index};
use crate::ui::layout::{Need, stack};
use ratatui::layout::Rect;

/// A page.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Page {
    /// What is wrong now.
    #[default]
    Overview,
    /// All services.
    Services,
    /// All alerts.
    Alerts,
    /// Issues of an error tracker.
    Issues,
    /// Any expression.
    Metrics,
    /// Backups.
    Backups,
    /// Incidents.
    Incidents,
    /// Runs of runbooks.
    Runs,
    /// What is polled.
    Sources,
    /// One service.
    Service(ServiceName),
    /// The logs of one service.
    Logs(ServiceName),
    /// The runbooks that fit something.
    Offers(About),
    /// A runbook, read for something.
    Book(BookId, About),
    /// A run whose process is asked for.
    Preparing(BookId),
    /// A run.
    Run(RunId),
}

/// From this width on there are two columns of panels.
const TWO_COLUMNS: u16 = 160;

impl Page {
    /// The page of a key `1` to `9`.
    pub fn numbered(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Overview,
            2 => Self::Services,
            3 => Self::Alerts,
            4 => Self::Issues,
            5 => Self::Metrics,
            6 => Self::Backups,
            7 => Self::Incidents,
            8 => Self::Runs,
            9 => Self::Sources,
            _ => return None,
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Overview => "overview",
            Self::Services => "services",
            Self::Alerts => "alerts",
            Self::Issues => "issues",
            Self::Metrics => "metrics",
            Self::Backups => "backups",
            Self::Incidents => "incidents",
            Self::Runs => "runs",
            Self::Sources => "sources",
            Self::Service(name) | Self::Logs(name) => name.as_str(),
            Self::Offers(_) => "runbooks",
            Self::Book(id, _) | Self::Preparing(id) => id.as_str(),
            Self::Run(id) => id.as_str(),
        }
    }

    /// The kinds of its panels, from top to bottom; the last stand to the
    /// right where there is room for two columns.
    pub(crate) fn panels(&self) -> &'static [&'static str] {
        match self {
            Self::Overview => &[
                "changed",
                "alerts",
                "services",
                "hosts",
                "issue-lines",
                "backup-lines",
                "run-lines",
                "charts",
            ],
            Self::Services => &["services", "charts"],
            Self::Alerts => &["alerts", "alert"],
            Self::Issues => &["issues", "issue"],
            Self::Metrics => &["metrics"],
            Self::Backups => &["backups", "backup"],
            Self::Sources => &["watch", "sources", "source"],
            Self::Service(_) => &[
                "changed here",
                "checks",
                "service-issues",
                "service-backups",
                "history",
                "signals",
            ],
            Self::Logs(_) => &["logs"],
            Self::Incidents => &[],
            Self::Runs => &["runs"],
            Self::Offers(_) => &["offers"],
            Self::Book(..) => &["book"],
            Self::Preparing(_) | Self::Run(_) => &["run"],
        }
    }

    /// Why nothing stands on it, where nothing does.
    pub(crate) fn empty(&self, index: &Index) -> Option<&'static str> {
        Some(match self {
            Self::Issues if index.trackers().next().is_none() => {
                "No issues: [sentry] in the config names a Sentry, GlitchTip or Bugsink."
            }
            Self::Backups if index.backups().next().is_none() => {
                "No backups are watched: a [backup.NAME] in the config names each data set."
            }
            Self::Incidents => "No incidents: this version keeps none.",
            _ => return None,
        })
    }

    /// Whether it stands where other pages tell what is polled, too.
    pub(crate) fn is_tall(&self) -> bool {
        matches!(self, Self::Preparing(_) | Self::Run(_))
    }

    /// How many panels stand to the right in two columns.
    fn to_the_right(&self) -> usize {
        match self {
            Self::Overview | Self::Service(_) | Self::Issues | Self::Backups => 1,
            _ => 0,
        }
    }

    /// Where its panels stand in `body`: a place of no height is not shown.
    pub(crate) fn places(&self, body: Rect, needs: &[Need]) -> Vec<Rect> {
        let right = self.to_the_right();
        if body.width < TWO_COLUMNS || right == 0 || needs.len() <= right {
            return stack(body, needs);
        }
        let width = body.width * 11 / 20;
        let (left_needs, right_needs) = needs.split_at(needs.len() - right);
        let left = Rect { width, ..body };
        let beside = Rect { x: body.x + width + 1, width: body.width - width - 1, ..body };
        let mut places = stack(left, left_needs);
        places.extend(stack(beside, right_needs));
        places
    }
}
