#!/bin/sh
# package.sh BUILD_DIRECTORY C_COMPILER: installs cubby into a directory of its
# own, and builds and runs a program against it as a user would: by
# find_package(cubby), shared and static, and by pkg-config.
set -eu
build=$1 compiler=$2

unset DESTDIR
prefix=$(mktemp -d)
trap 'rm -rf "$prefix"' EXIT
trap 'exit 1' HUP INT TERM

cmake --install "$build" --prefix "$prefix/usr" >"$prefix/log" ||
	{ cat "$prefix/log"; exit 1; }

mkdir "$prefix/program"
cd "$prefix/program"
cat >main.c <<'END'
#include <cubby.h>
#include <cubby_sync.h>
#include <stdio.h>
#include <string.h>

int
main(void)
{
	if (strcmp(cubby_version(), CUBBY_VERSION) != 0)
		return 1;
	return puts(cubby_version()) < 0;
}
END
cat >CMakeLists.txt <<'END'
cmake_minimum_required(VERSION 3.22)
project(program LANGUAGES C)
find_package(cubby 0.1 REQUIRED)
add_executable(with_shared main.c)
target_link_libraries(with_shared PRIVATE cubby::cubby)
add_executable(with_static main.c)
target_link_libraries(with_static PRIVATE cubby::cubby_static)
END
cmake -S . -B build -DCMAKE_C_COMPILER="$compiler" \
	-DCMAKE_PREFIX_PATH="$prefix/usr" >log 2>&1 &&
	cmake --build build >>log 2>&1 || { cat log; exit 1; }
version=$(build/with_shared)
test "$version" = "$(build/with_static)"
# Until 1.0 another minor version is another library.
sed 's/cubby 0\.1/cubby 0.2/' CMakeLists.txt >other.txt
mkdir other && mv other.txt other/CMakeLists.txt && cp main.c other
if cmake -S other -B other/build -DCMAKE_C_COMPILER="$compiler" \
	-DCMAKE_PREFIX_PATH="$prefix/usr" >log 2>&1; then
	echo "0.1 was taken for 0.2"
	exit 1
fi

# What a package manager installs into / is found by its .pc file; this one
# has been moved, and pkg-config is told so.
pc=$(find "$prefix/usr" -name cubby.pc)
libdir=$(dirname "$(dirname "$pc")")
PKG_CONFIG_PATH=$(dirname "$pc")
export PKG_CONFIG_PATH
test "$(pkg-config --modversion cubby)" = "$version"
# Unquoted: several words.
"$compiler" main.c -o with_pc $(pkg-config --cflags --libs \
	--define-variable=libdir="$libdir" \
	--define-variable=includedir="$prefix/usr/include" cubby)
test "$version" = "$(LD_LIBRARY_PATH=$libdir ./with_pc)"

for file in bash-completion/completions/cubby zsh/site-functions/_cubby; do
	test -s "$prefix/usr/share/$file" || { echo "no $file"; exit 1; }
done
