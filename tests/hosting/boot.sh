#!/bin/bash
# Becomes a machine: systemd as process 1, over a copy of this machine's files that is kept in memory.
# Arguments: a folder; paths that the machine sees as they are here.
set -eu
root=$1/root
shift
mount --make-rprivate /
mount -t tmpfs tmpfs "${root%/root}"
mkdir "${root%/root}"/{above,work,root}
mount -t overlay overlay -o "lowerdir=/,upperdir=${root%/root}/above,workdir=${root%/root}/work" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mkdir -p "$root/sys/fs/cgroup"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
for folder in run tmp dev; do mount -t tmpfs tmpfs "$root/$folder"; done
chmod 1777 "$root/tmp"
mkdir "$root"/dev/{pts,shm}
mount -t devpts -o newinstance,ptmxmode=666 devpts "$root/dev/pts"
mount -t tmpfs tmpfs "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
for device in null zero full random urandom tty; do
  touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
for path in "$@"; do
  mkdir -p "$root$path"
  mount --rbind "$path" "$root$path"
done
# nothing starts by itself but the journal
find "$root"/etc/systemd/system "$root"/usr/lib/systemd/system -path '*.wants/*' ! -name '*journald*' -delete
rm -rf "$root"/var/log/journal
ip link set lo up
cd "$root"
exec env -i container=snug PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot "$root" \
  /lib/systemd/systemd --system --log-target=null --show-status=false --unit=multi-user.target
