#!/bin/sh
# Installs the real parts that the tests use, where that is possible, and says what is missing where it is not.
# Without them the tests that need them skip with the reason (with CI=true they fail).
set -eu

packages=""
want() { # want PROGRAM-OR-TEST PACKAGE...
    if ! sh -c "$1" >/dev/null 2>&1; then shift; packages="$packages $*"; fi
}
want "command -v mosquitto || test -x /usr/sbin/mosquitto" mosquitto
want "command -v mosquitto_sub" mosquitto-clients
want "command -v openssl" openssl
want "command -v strace" strace
want "command -v unshare" util-linux
want "command -v ip" iproute2
want "command -v systemd-analyze" systemd
want "/usr/bin/python3 -c 'import gi; gi.require_version(\"GstRtspServer\", \"1.0\")'" \
    python3-gi gir1.2-gst-rtsp-server-1.0
want "gst-inspect-1.0 qtdemux || test -e /usr/lib/$(uname -m)-linux-gnu/gstreamer-1.0/libgstisomp4.so" \
    gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad

[ -n "$packages" ] || exit 0
if command -v apt-get >/dev/null 2>&1; then
    if [ "$(id -u)" = 0 ]; then
        sudo=""
    elif sudo -n true 2>/dev/null; then
        sudo="sudo -n"
    else
        echo "edged: for all tests install these first: apt-get install$packages" >&2
        exit 0
    fi
    $sudo apt-get update -qq &&
        DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends $packages >/dev/null ||
        echo "edged: could not install$packages; the tests that need them will skip" >&2
else
    echo "edged: for all tests install what is called$packages on Debian" >&2
fi
