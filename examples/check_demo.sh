#!/bin/sh
# check_demo.sh DEMO WHAT SOURCE: runs the demo in a root of its own.
#	whole		over a copy of SOURCE: all is well, and the figures are there
#	sabotaged	with one piece spoilt, lost or doubled: it fails
#	killed		with one of its processes killed: it fails
#	odd		over a tree of odd names and sizes
#	unreadable	over one of which a part cannot be read
set -eu
demo=$1
what=$2
source=$3

work=$(mktemp -d)
tree=$work/tree
CUBBY_ROOT=$(mktemp -d /dev/shm/cubby-demo.XXXXXX)
export CUBBY_ROOT
trap 'chmod -R u+rwx "$work"; rm -rf "$work" "$CUBBY_ROOT"' EXIT
mkdir "$tree"

die()
{
	echo "check_demo: $*" >&2
	cat "$work/out" >&2
	exit 1
}

# run STATUS ARGUMENT...: runs it, expects that status, and nothing left.
run()
{
	expected=$1
	shift
	status=0
	"$demo" "$@" >"$work/out" 2>&1 || status=$?
	[ "$status" -eq "$expected" ] || die "status $status, not $expected"
	left=$(find "$CUBBY_ROOT" -mindepth 2)
	[ -z "$left" ] || die "left behind: $left"
}

# said WORDS: the last run said so, in one line.
said()
{
	grep -Eq -- "$1" "$work/out" || die "it did not say: $1"
}

# A copy, because somebody may be working on the source.
copy_source()
{
	cp -R "$source" "$tree/source"
	head -c 3000000 /dev/urandom >"$tree/large"
}

whole()
{
	copy_source
	files=$(find "$tree" -type f -printf x | wc -c)
	run 0 "$tree"
	said "^files +$files\$"
	said '^split files +[1-9]'
	said '^system calls/message +([0-9.]+|not counted)$'
	said '^Every file arrived'
}

sabotaged()
{
	copy_source
	run 1 --sabotage spoil "$tree"
	said "^demo: $tree/.* through cubby, .* without\$"
	run 1 --sabotage lose "$tree"
	said "^demo: $tree/.* has not arrived\$"
	run 1 --sabotage double "$tree"
	said "a piece of $tree/.* has come twice\$"
}

killed()
{
	copy_source
	for role in producer consumer collector; do
		run 1 --sabotage "kill-$role" "$tree"
		said "^demo: $role [1-9] was killed"
	done
}

# Around 16 KiB less the 32 bytes of a header: what fits into a piece.
sizes="0 1 2 16351 16352 16353 32703 32704 32705 10000000"

make_odd_tree()
{
	cd "$tree"
	for size in $sizes; do
		head -c "$size" /dev/urandom >"size $size"
	done
	mkdir -p ' ' 'a/b/c/d/e/f'
	for name in -dash 'new
line' 'tab	' '\back' '%s' "$(printf 'latin \344')" a/b/c/d/e/f/deep \
		"$(printf '%0255d' 0)"; do
		echo "this is $name" >"./$name"
	done
	ln -s 'size 1' symbolic_link
	ln -s nowhere dangling_link
	ln 'size 2' hard_link
	mkfifo pipe
	truncate -s 20M sparse
	cd "$OLDPWD"
}

odd()
{
	make_odd_tree
	files=$(find "$tree" -type f -printf x | wc -c)
	run 0 "$tree"
	said "^files +$files\$"
	said '^split files +7$'
	said '^empty files +1$'
	run 0 -p 1 -c 1 "$tree"
	run 0 -p 16 -c 16 "$tree"
	mkdir "$work/empty"
	run 0 "$work/empty"
	said '^files +0$'
	run 1 "$work/nowhere"
	run 2
}

# To root nothing is unreadable: so it is run by somebody else, if it can be.
unreadable()
{
	mkdir "$tree/closed"
	echo secret | tee "$tree/closed/file" >"$tree/secret"
	echo public >"$tree/public"
	if [ "$(id -u)" -eq 0 ]; then
		set -- setpriv --reuid 65534 --regid 65534 --clear-groups \
			"$demo"
		chown -R 65534:65534 "$work" "$CUBBY_ROOT"
		status=0
		"$@" 2>/dev/null || status=$?
		[ "$status" -eq 2 ] || exit 77
		printf '#!/bin/sh\nexec %s "$@"\n' "$*" >"$work/demo"
		chmod 755 "$work/demo"
		demo=$work/demo
	fi
	chmod 0 "$tree/closed" "$tree/secret"
	run 0 "$tree"
	said '^files +2$'
	said '^unreadable files +1$'
	said '^unreadable directories +1$'
}

"$what"
