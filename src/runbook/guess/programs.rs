//! Programs that a line of a runbook begins with. Not all there are: enough to
//! tell a command behind `#` from a remark, and commands from other text.

use std::collections::HashSet;
use std::sync::LazyLock;

const PROGRAMS: &str = "\
    ./gradlew ab alias amtool ansible ansible-playbook apk apt apt-get aptitude argocd arp \
    arping asdf awk aws az badblocks base64 bash bazel bin/rails bin/rake blkid borg bpftrace \
    brctl brew bridge buildah bundle calicoctl cargo cat cd ceph certbot chattr chcon \
    chef-client chgrp chkconfig chmod chown chronyc chronyd cilium clear cmctl composer conda \
    conntrack consul cp cqlsh crictl crontab cryptsetup ctr curl cut dagger date dd deployctl \
    df dig direnv dmesg dnf dnsmasq doas docker docker-compose doveadm dpkg dpkg-reconfigure du \
    e2fsck echo eksctl elasticsearch env envdir etcdctl ethtool eval exec exim exit export \
    exportfs fdisk fio firewall-cmd flux free fsck fstrim fuser gcloud gdb gem getenforce \
    getent getfacl gh git gitlab-ctl gitlab-patronictl gitlab-psql gitlab-rails gitlab-rake \
    glab go gpg gpg2 gradle grep growpart gsutil gunzip gzip haproxy hdparm head helm hey host \
    hostname hostnamectl htop hwclock id ifconfig ifdown ifup influx install iostat ip ipa \
    iperf iperf3 iptables irqbalance iscsiadm istioctl java jmap journalctl jps jq jstack just \
    k9s kafka-consumer-groups kafka-consumer-groups.sh kafka-topics kafka-topics.sh kill \
    killall kinit klist knife kops kpartx ksql kubeadm kubectl kubectx kubelet kubens kustomize \
    ldapmodify ldapsearch ldd less ln logger loginctl logrotate losetup ls lsattr lsblk lscpu \
    lsmod lsof lvdisplay lvextend lvs mailq make mc md5sum mdadm megacli mkdir mke2fs mkfifo \
    mkfs mktemp modprobe mongo mongod mongosh mount mountpoint mpstat mtr multipath mv mvn \
    mysql mysqladmin mysqldump named-checkconf nc ncat ncdu nerdctl net netstat nft nginx nice \
    nm nmap nmcli node nodetool nohup nomad npm npx nslookup ntpdate ntpq numactl nvm nvme oc \
    ocm odo openssl openstack parted partprobe passwd patronictl pct perf perl pg_basebackup \
    pg_ctl pg_dump pg_isready pg_restore pgbackrest pgrep php ping pip pip3 pipenv pkill pm2 \
    podman poetry popd postfix postqueue postsuper printf promtool ps psql pstree pulumi puppet \
    pushd pvecm pvs pwd python python3 qm rabbitmq-diagnostics rabbitmqctl rails rake rbenv \
    rclone realm reboot redis-cli resize2fs resolvectl restic restorecon rm rmdir rndc rosa \
    route rpcinfo rpm rsync ruby runme salt salt-call sar scp sealert sed semanage sentry seq \
    service set setenforce sftp sgdisk sh sha256sum showmount shutdown siege skopeo slabtop \
    sleep smartctl smbclient smbstatus snap solr sort source sqlite3 ss ssh ssh-add ssh-copy-id \
    ssh-keygen sssctl stat stern strace su sudo supervisorctl swapoff swapon sync sysctl \
    systemctl tail talosctl tar targetcli task tc tcpdump tee telnet terraform testparm time \
    timedatectl timeout tofu top touch traceroute trap tree truncate udevadm ufw ulimit umask \
    umount uname unbound-control unset unzip update-alternatives update-rc.d uptime useradd \
    usermod uv varnishadm varnishstat vault vector velero vgdisplay vgs vi vim virsh virtctl \
    vmstat watch wbinfo wc wget which who whoami whois wrk xargs xfs_growfs xfs_repair xz yarn \
    yum zcat zfs zgrep zip zkCli.sh zkcli zpool zypper";

/// Words of English that are programs, too: alone they make no command.
const ENGLISH: &str = "\
    alias bridge cat clear consul cut date echo env exit export find flux free go head hey host \
    id install just kill less make more mount net nice node perf puppet realm route salt \
    service set siege sleep snap sort source split stat sync tail task tee test time timeout \
    top touch trap tree unset vault vector watch which who";

static KNOWN: LazyLock<HashSet<&str>> =
    LazyLock::new(|| PROGRAMS.split_whitespace().chain(ENGLISH.split_whitespace()).collect());
static AMBIGUOUS: LazyLock<HashSet<&str>> = LazyLock::new(|| ENGLISH.split_whitespace().collect());

/// Whether a word is the name of a program.
pub(super) fn is_known(word: &str) -> bool {
    KNOWN.contains(word)
}

/// Whether a word is the name of a program and a word of English.
pub(super) fn is_ambiguous(word: &str) -> bool {
    AMBIGUOUS.contains(word)
}
