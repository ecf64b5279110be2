#!/bin/sh
# debian.sh ROOT COMPILER: the Debian packages build in a clean copy of the
# source, lintian finds no fault with them, and what they hold works together: a
# program built against libcubby-dev runs with libcubby0, and meets the command.
# Status 77 if the tools are not here.
set -eu
root=$(cd "$1" && pwd) compiler=$2

for tool in dpkg-buildpackage dh lintian pkg-config scdoc cmake; do
	command -v $tool >/dev/null || { echo "no $tool here"; exit 77; }
done
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
trap 'exit 1' HUP INT TERM

mkdir "$directory/cubby" "$directory/all" "$directory/root"
tar -c -C "$root" --exclude=./build --exclude=./.git --exclude=__pycache__ . |
	tar -x -C "$directory/cubby"
cd "$directory"
# A make or a ctest that called us has options and variables of its own.
unset MAKEFLAGS MFLAGS MAKELEVEL DESTDIR
(cd cubby && DEB_BUILD_OPTIONS='nocheck parallel=2' \
	dpkg-buildpackage -us -uc) >log 2>&1 || { tail -n 50 log; exit 1; }
lintian --fail-on error,warning --allow-root ./*.changes

for package in libcubby0 libcubby-dev cubby; do
	dpkg-deb -x ${package}_*.deb all
done
libdir=$(dirname "$(find all -name libcubby.so.0)")
cat >program.c <<'END'
#include <cubby.h>

int
main(void)
{
	cubby_mailbox *jobs;

	if (cubby_open("jobs", CUBBY_CREATE | CUBBY_SEND, NULL, &jobs) < 0)
		return 1;
	return cubby_send(jobs, "hello", 5) < 0;
}
END
PKG_CONFIG_SYSROOT_DIR=$PWD/all PKG_CONFIG_LIBDIR=$PWD/$libdir/pkgconfig
export PKG_CONFIG_SYSROOT_DIR PKG_CONFIG_LIBDIR
# Unquoted: several words.
"$compiler" program.c -o program $(pkg-config --cflags --libs cubby)
CUBBY_ROOT=$PWD/root
export CUBBY_ROOT
LD_LIBRARY_PATH=$PWD/$libdir ./program
test "$(all/usr/bin/cubby receive --try jobs)" = hello
for file in man/man1/cubby.1.gz man/man3/cubby_send.3.gz \
	man/man5/cubby_format.5.gz man/man7/cubby.7.gz \
	zsh/vendor-completions/_cubby bash-completion/completions/cubby; do
	test -s "all/usr/share/$file" || { echo "no $file"; exit 1; }
done
