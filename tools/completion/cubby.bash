# SPDX-License-Identifier: MIT
# Completion of cubby's command lines for bash: the command is asked, so this
# knows nothing of it. tools/complete.h says how it answers.

# The words before the cursor, as the shell will pass them on. What readline
# takes apart (--order=x, @worker) is one word again.
_cubby_words()
{
	local rest=${COMP_LINE:0:COMP_POINT} word i

	words=()
	for ((i = 0; i <= COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if ((i == 0)) || [[ $rest == [[:space:]]* ]]; then
			rest=${rest#"${rest%%[![:space:]]*}"}
			words+=("")
		fi
		((${#word} <= ${#rest})) || word=$rest
		words[-1]+=$word
		rest=${rest#"$word"}
	done
}

# What has been typed, without its quotes.
_cubby_plain()
{
	local word=$1

	case $word in
	[\'\"]*) word=${word:1} ;;
	*) word=${word//\\/} ;;
	esac
	case $1 in
	\'*\' | \"*\") word=${word%?} ;;
	esac
	plain=$word
}

# A command line of its own begins with that word: a command, and then files.
_cubby_command()
{
	if ((${#words[@]} > $1 + 1)); then
		COMPREPLY=($(compgen -f -- "$2"))
	else
		COMPREPLY=($(compgen -c -- "$2"))
	fi
	compopt -o filenames 2>/dev/null
}

_cubby()
{
	local IFS=$'\n' words plain word line last i

	COMPREPLY=()
	_cubby_words
	for ((i = 1; i < ${#words[@]}; i++)); do
		_cubby_plain "${words[i]}"
		last=${words[i]}
		words[i]=$plain
	done
	while IFS= read -r line; do
		word=${line%%$'\t'*}
		case $line in
		$'\tfiles')
			compopt -o filenames 2>/dev/null
			COMPREPLY+=($(compgen -f -- "$2"))
			;;
		$'\tgroups')
			COMPREPLY+=($(compgen -g -- "$2"))
			;;
		$'\tcommand '*)
			_cubby_command "${line##* }" "$2"
			;;
		*)
			case $last in
			[\'\"]*) ;;
			*) printf -v word %q "$word" ;;
			esac
			# readline replaces what comes after its last break.
			case $last in
			*"$2") word=${word#"${last%"$2"}"} ;;
			esac
			COMPREPLY+=("$word")
			;;
		esac
	done < <("$1" --complete "${words[@]:1}" 2>/dev/null)
}

complete -F _cubby cubby
