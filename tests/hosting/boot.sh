#!/bin/bash
# Becomes a machine: systemd as process 1, over a copy of this machine's files that is kept in memory.
# Arguments: a folder; this repository, which the machine has in /usr/src/snug; an environment of Python, which it has in
# /usr/src/python; and the folder of that Python, which it sees as it is here.
set -eu
root=$1/root
repository=$2
environment=$3
python=$4
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
mkdir -p "$root$python" "$root"/usr/src/{snug,python}
# the system's Python is in the copy already, and must not be written to
if [ "$python" != /usr ]; then mount --rbind "$python" "$root$python"; fi
mount --rbind "$environment" "$root/usr/src/python"
mount --rbind "$repository" "$root/usr/src/snug"
# nothing starts by itself but the journal and the bus
find "$root"/etc/systemd/system "$root"/usr/lib/systemd/system -path '*.wants/*' ! -name '*journald*' ! -name 'dbus*' -delete
rm -rf "$root"/var/log/journal
ip link set lo up
# not only chroot: a process below a chroot may make no user namespace, which services with PrivateUsers need
cd "$root"
pivot_root . mnt
# services get their credentials by mounts of systemd
begin='umount -l /mnt && mount --make-rshared / && exec "$@"'
exec env -i container=snug PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot . sh -c "$begin" sh /lib/systemd/systemd \
  --system --log-target=journal --show-status=false --unit=multi-user.target
