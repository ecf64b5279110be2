/* SPDX-License-Identifier: MIT */
/*
 * cubby: mailboxes from the shell.
 *
 * The table of verbs, and what is the same for all of them. This command uses
 * cubby.h alone: whatever it can do, any program can.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "complete.h"
#include "output.h"
#include "process.h"
#include "watch.h"

/* In the order of enum verb_id. */
const struct verb verbs[VERB_COUNT] = {
	{ "create", "NAME", 1, 1, "make a mailbox",
	  "Makes the mailbox NAME. If it exists already, that is fine, unless it "
	  "was made with other attributes than those given.\n\n"
	  "NAME is your own mailbox; /NAME is machine-wide: other users see it, "
	  "and may use it as its mode says; @NAME is the inbox of the process "
	  "that calls itself so.\n\n"
	  "With the default order, capacity counts per sender, so that nobody "
	  "can fill the mailbox for the others. One buffer for all, as in the "
	  "textbook, is --order arrival.",
	  "cubby create jobs\n"
	  "cubby create --capacity 1000 --message-max 64K jobs\n"
	  "cubby create --order priority --capacity 10 urgent\n"
	  "cubby create --mode 0620 --group staff /jobs\n",
	  run_create },
	{ "send", "NAME [WORD...]", 1, INT_MAX, "send messages",
	  "Sends the words, joined by single spaces, as one message. Without a "
	  "word, sends each line of standard input as a message, without its "
	  "newline. Waits while the mailbox is full: of this sender's messages, "
	  "with the default order. Words after -- are never options.",
	  "cubby send jobs hello\n"
	  "seq 100 | cubby send jobs\n"
	  "find . -print0 | cubby send -0 --timeout 5s jobs\n"
	  "cubby send --whole jobs < picture.png\n"
	  "cubby send --priority 7 --type 3 urgent now\n",
	  run_send },
	{ "receive", "NAME...", 1, INT_MAX, "receive messages",
	  "Waits for one message, prints it and a newline, and ends. Of several "
	  "mailboxes it is the first that comes in any of them; those that have "
	  "some are received from in turns.\n\n"
	  "A message is held while it is printed, and goes back to the mailbox "
	  "if that fails: a full disk loses nothing. Nor does a pipe whose "
	  "reader ends early, as in: cubby receive --follow jobs | head -1. For "
	  "that, a second message is written into a pipe only when the reader "
	  "has taken the first; --batch does not wait for that.\n\n"
	  "An inbox, @NAME, is received from by one process at a time; who sends "
	  "there when it has gone is told so, and nothing is sent.",
	  "cubby receive jobs\n"
	  "cubby receive --all jobs > results\n"
	  "cubby receive --follow --json jobs | jq .data\n"
	  "cubby receive -0 --count 10 --timeout 1m jobs | xargs -0 ls -l\n"
	  "cubby receive --type 3 urgent\n"
	  "cubby receive --follow --with-name jobs orders @me\n",
	  run_receive },
	{ "peek", "NAME", 1, 1, "print the next message and let it stay",
	  "Waits until there is a message, and prints what receive would print, "
	  "but leaves the message where it is.",
	  "cubby peek --try jobs\n"
	  "cubby peek --json jobs\n",
	  run_peek },
	{ "ls", "[NAME...]", 0, INT_MAX, "list mailboxes",
	  "Lists your own mailboxes and the machine-wide ones, or those named. "
	  "On a terminal that is a table; elsewhere a line each, with tabs "
	  "between: name, messages to receive, capacity, senders and receivers "
	  "attached, held messages, bytes of memory, mode, owner, order. A "
	  "question mark stands for what you are not allowed to see. With the "
	  "order sender, capacity counts per sender; 0 is rendezvous.",
	  "cubby ls\n"
	  "cubby ls | cut -f 1,2\n"
	  "cubby ls --json | jq -r '.[] | select(.waiting > 0) | .name'\n",
	  run_ls },
	{ "info", "NAME", 1, 1, "tell all about a mailbox",
	  "Prints the attributes of the mailbox, what is in it, who is "
	  "attached, and its senders. Nobody notices that you look. With the "
	  "default order, capacity counts per sender; one buffer for all, as in "
	  "the textbook, is --order arrival.",
	  "cubby info jobs\n"
	  "cubby info --json jobs | jq .waiting\n",
	  run_info },
	{ "rm", "NAME...", 1, INT_MAX, "remove mailboxes",
	  "Takes the name away, and the messages in it. Processes that have the "
	  "mailbox open go on with it until they close it.",
	  "cubby rm jobs\n", run_rm },
	{ "sweep", "[NAME...]", 0, INT_MAX, "clean up behind the dead",
	  "Gives back memory that dead processes have left behind, puts the "
	  "messages back that they held, and removes what nobody uses any more: "
	  "in the mailboxes named, or in all that are yours. Never needed for "
	  "messages to arrive, and never harms the living.",
	  "cubby sweep\n"
	  "cubby sweep jobs\n",
	  run_sweep },
	{ "work", "NAME [--] COMMAND [ARGUMENT...]", 2, INT_MAX,
	  "run a command for each message",
	  "Runs the command for each message, one after the other or, with "
	  "--jobs, several at a time, and waits for more. {} in an argument "
	  "stands for the message, as it is: no shell sees it. Without {} the "
	  "message is the command's standard input.\n\n"
	  "A message is held until its command has ended. If that ends with 0, "
	  "the message is done. If not, or if the command is killed, the "
	  "message goes back to be tried again, by whoever works there; after "
	  "--attempts of it, it is moved to the mailbox NAME.dead. If this "
	  "command is killed, what it held goes back by itself, and what it "
	  "ran is killed. Any number of these may share one mailbox.\n\n"
	  "On SIGINT, SIGTERM or SIGHUP it takes no more, and ends when what "
	  "runs has ended; a second ends what runs. The command finds in its "
	  "environment CUBBY_TAG, CUBBY_TYPE, CUBBY_PRIORITY, CUBBY_SENDER, "
	  "CUBBY_SENDER_NAME, CUBBY_UID, CUBBY_SEQUENCE, CUBBY_SIZE, "
	  "CUBBY_DELIVERIES (which attempt this is), CUBBY_MAILBOX and "
	  "CUBBY_SLOT (1 to the number of --jobs).",
	  "cubby work jobs -j 4 -- sha256sum {}\n"
	  "cubby work jobs -- wc -c\n"
	  "cubby work --all --timeout 1m jobs -- gzip -k -- {}\n"
	  "cubby work jobs -- sh -c 'convert \"$1\" \"$1.png\"' sh {}\n"
	  "cubby work jobs.dead -- cubby send --whole jobs\n",
	  run_work },
	{ "call", "NAME [WORD...]", 1, INT_MAX,
	  "send a request, and print the reply",
	  "Sends the words, joined by single spaces, as a request, or without a "
	  "word all of standard input, and waits for the reply. It is printed as "
	  "it is, without a newline behind. Who answers is cubby serve, or a "
	  "program that calls cubby_reply(3).\n\n"
	  "If the one who took the request ends or fails, that is told at once, "
	  "with exit code 1. As long as nobody takes it, it waits; a call that "
	  "ends before leaves nothing behind.",
	  "cubby call sizes /usr/share\n"
	  "cubby call --timeout 5s upper < text\n",
	  run_call },
	{ "serve", "NAME [--] COMMAND [ARGUMENT...]", 2, INT_MAX,
	  "run a command for each request, whose output is the reply",
	  "Runs the command for each request that cubby call, or a program, "
	  "sends to the mailbox, and replies with what it prints. {} in an "
	  "argument stands for the request, as it is; without {} the request is "
	  "the command's standard input. Its environment is that of cubby "
	  "work.\n\n"
	  "If the command does not end with 0, its caller is told that there is "
	  "no reply, at once; so it is if this command is killed. Any number of "
	  "these may share one mailbox, each request being answered by one of "
	  "them. A message that is no request goes to the mailbox NAME.dead.\n\n"
	  "On SIGINT, SIGTERM or SIGHUP it takes no more, and ends when what "
	  "runs has ended; a second ends what runs.",
	  "cubby serve upper -- tr a-z A-Z\n"
	  "cubby serve -j 4 sizes -- du -sh -- {}\n",
	  run_serve },
	{ "region", "ACTION [NAME...]", 1, INT_MAX,
	  "make, fill, show and remove shared memory",
	  "A region is memory that processes share: each sees at once what the "
	  "others write. It has a name, which may be a mailbox's too: NAME is "
	  "your own, /NAME is machine-wide. The actions are:\n\n"
	  "create NAME makes it. ls [NAME...] lists your own and the "
	  "machine-wide ones, or those named: name, size, the most that it may "
	  "grow to, how many have it attached for writing, bytes of memory, "
	  "mode, owner. rm NAME... takes the name away; processes that have it "
	  "attached keep it.\n\n"
	  "dump NAME writes its bytes to standard output. load NAME copies "
	  "standard input to its beginning, and makes it grow if need be; the "
	  "rest stays as it was. Neither keeps others from writing "
	  "meanwhile.\n\n"
	  "grant NAME WHO RIGHT gives one more user or group (user:anna, "
	  "group:staff) a right to a machine-wide region, beside what its mode "
	  "says: read, write (and read), or none.\n\n"
	  "send MAILBOX makes a region without a name of standard input, and "
	  "sends it as a message: ownership moves, and nothing is copied. "
	  "receive MAILBOX waits for such a message and writes its bytes to "
	  "standard output; if that fails, it goes back.",
	  "cubby region create --size 64M pixels\n"
	  "cubby region load pixels < picture.raw\n"
	  "cubby region dump --hex pixels | head\n"
	  "cubby region create --mode 0640 /table\n"
	  "cubby region grant /table user:anna write\n"
	  "cubby region send jobs < picture.raw\n"
	  "cubby region receive jobs > picture.raw\n",
	  run_region },
	{ "top", "[NAME...]", 0, INT_MAX, "watch mailboxes, and who waits for whom",
	  "Shows your own mailboxes and the machine-wide ones, or those named, "
	  "again and again: what is waiting, how many messages come and go in a "
	  "second, how long one takes, how old the oldest is, who is attached, "
	  "who waits for whom, and who waits in vain. By looking at shared "
	  "memory alone: nothing is received, and nobody notices.\n\n"
	  "LATENCY is the time from a message's being sent to its being handed "
	  "out, as seen from outside, of one message in a while: <60us says that "
	  "it was less. OLDEST is how long ago the oldest message that waits was "
	  "first seen; >5s says that it was there from the beginning. A question "
	  "mark stands for what you are not allowed to see.\n\n"
	  "A deadlock is told when each of some processes sleeps until another "
	  "one of them sends, receives or replies, and nobody else is attached "
	  "who could. "
	  "A process with several threads may do something else meanwhile: then "
	  "it is told as a maybe.\n\n"
	  "Keys: arrows choose a mailbox, Enter shows who is attached to it, < "
	  "and > choose the column to sort by, r turns the order round, + and - "
	  "change how often it looks, Space stops and goes on, h explains, q "
	  "ends.",
	  "cubby top\n"
	  "cubby top jobs results\n"
	  "cubby top --batch --count 1 --sort waiting\n"
	  "cubby top --json --delay 5s | jq .deadlocks\n",
	  run_top },
	{ "watch", "[NAME...]", 0, INT_MAX, "tell what happens to mailboxes",
	  "Prints a line for each thing that happens to your own mailboxes and "
	  "the machine-wide ones, or to those named: made, removed; attached, "
	  "left, died; how many messages were sent and received; full, empty; "
	  "who waits, and goes on; deadlocks. By looking at shared memory alone, "
	  "again and again: nothing is received, and nobody notices; what "
	  "happens and is undone between two looks is not told.",
	  "cubby watch\n"
	  "cubby watch --delay 1s jobs\n"
	  "cubby watch --json | jq -c 'select(.event == \"died\")'\n",
	  run_watch },
	{ "hz", "NAME", 1, 1, "measure how often messages come",
	  "Prints every second how many messages a second were sent to the "
	  "mailbox and received from it: the mean of the last looks, the least, "
	  "the most, and the standard deviation of what was counted between two "
	  "looks. Nothing is received, and nobody notices.",
	  "cubby hz jobs\n"
	  "cubby hz --delay 5s --window 1000 jobs\n",
	  run_hz },
	{ "tradeoffs", "", 0, 0,
	  "measure shared memory against message passing, here",
	  "What textbooks say of shared memory and message passing, measured "
	  "on this machine, in half a minute: what it costs to set a channel "
	  "up, how many system calls and copies a message takes, and how long, "
	  "from 8 bytes to 64M, for shared memory with a mutex and conditions, "
	  "a pipe, a Unix socket, a POSIX queue, and cubby, copied and in "
	  "place; and what a system call, a mutex and another core's cache "
	  "cost. Prints tables, a plot, and a paragraph that reads the figures. "
	  "Each message is written and read in full, but where it says "
	  "untouched, and checked.\n\n"
	  "The rest of the machine should be idle meanwhile. What cannot be "
	  "measured is named. Nothing is left behind, and no mailbox of yours "
	  "is touched.",
	  "cubby tradeoffs\n"
	  "cubby tradeoffs --seconds 5\n"
	  "cubby tradeoffs --json > figures.json\n",
	  run_tradeoffs },
	{ "record", "NAME", 1, 1, "write a mailbox's messages to a file",
	  "Writes each message that goes through the mailbox to a file, with its "
	  "envelope and the time at which it came, until it is interrupted. "
	  "cubby_record(5) describes the file; cubby replay sends what is in "
	  "it.\n\n"
	  "From a mailbox made with --broadcast, nobody loses a message by that: "
	  "it is one more receiver. If the mailbox holds its senders back for a "
	  "slow receiver, a slow disk is one; if it overtakes, the file tells how "
	  "many messages were missed.\n\n"
	  "Of any other mailbox, who reads a message takes it, and the record "
	  "would be neither complete nor without effect. There, --take receives "
	  "the messages, and --to passes them on, to a mailbox that the "
	  "receivers read instead. A message is let go when it is in the file "
	  "(and has been passed on): none is lost if the command is killed, but "
	  "one may be recorded twice, the second time with deliveries above 1.",
	  "cubby record --output day.cubby prices\n"
	  "cubby record --last 100 prices | zstd > day.cubby.zst\n"
	  "cubby record --take --all -o dead.cubby jobs.dead\n"
	  "cubby record --take --to jobs -o jobs.cubby jobs.in\n",
	  run_record },
	{ "replay", "FILE", 1, 1, "send what was recorded",
	  "Sends the messages of a file that cubby record has written, with their "
	  "tags and types (and priorities, where the mailbox has them), in the "
	  "order and with the pauses in which they came. FILE - is standard "
	  "input. All come from one sender. While the mailbox is full it waits, "
	  "and then makes up for the time.\n\n"
	  "A file that was cut off is replayed up to there, and that is told.",
	  "cubby replay day.cubby\n"
	  "cubby replay --to test --create --speed max day.cubby\n"
	  "cubby replay --from 10m --until 15m --speed 2 day.cubby\n"
	  "zstd -dc day.cubby.zst | cubby replay --json - | jq .data\n",
	  run_replay },
	{ "doctor", "", 0, 0, "say what is wrong here, and how to cure it",
	  "Looks at what mailboxes need of this machine, and tells what is as it "
	  "should be (ok), what may fail or costs more than it must (warn), and "
	  "what fails now (bad), with what to do about it: the directory that "
	  "mailboxes lie in, its room and what its file system can do, what "
	  "dead processes have left behind, what the kernel can do, the limits "
	  "of this process, control groups and namespaces, and whether logging "
	  "out removes mailboxes. Nothing is changed.\n\n"
	  "Run it as the user, and in the container, whose programs have "
	  "trouble. The exit code is 1 if something is bad.",
	  "cubby doctor\n"
	  "cubby doctor --json | jq '.[] | select(.verdict != \"ok\")'\n",
	  run_doctor },
	{ "help", "[VERB]", 0, 1, "explain a verb, or list them",
	  "Explains a verb of cubby, or lists them all.", "cubby help send\n",
	  run_help },
};

const struct verb *
find_verb(const char *name)
{
	for (int i = 0; i < VERB_COUNT; i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

/*
 * Sees to it that descriptors 0, 1 and 2 are taken, so that no file of the
 * library's gets one of them and what is printed goes into it. Where one was
 * closed, using it fails as it did before.
 */
static int
take_standard_descriptors(void)
{
	static const int flags[] = { O_WRONLY, O_RDONLY, O_RDONLY };

	for (int i = 0; i < 3; i++)
		if (fcntl(i, F_GETFD) < 0 && open("/dev/null", flags[i]) != i)
			return -1;
	return 0;
}

static int
run(const struct verb *verb, int count, char **words)
{
	struct arguments arguments;
	int code = options_parse(verb, count, words, &arguments);

	if (code)
		return code;
	if (!given(&arguments, OPTION_HELP))
		return verb->run(&arguments);
	help_verb(verb);
	return EXIT_DONE;
}

static int
run_word(int count, char **words)
{
	const struct verb *verb;
	const char *word = words[0];

	if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) {
		output_format("cubby %s\n", cubby_version());
		return EXIT_DONE;
	}
	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
		help_all();
		return EXIT_DONE;
	}
	if (strcmp(word, "--complete") == 0)
		return complete(count - 1, words + 1);
	verb = find_verb(word);
	if (verb)
		return run(verb, count, words);
	complain("there is no %s %s; see: cubby help",
		 word[0] == '-' ? "option" : "verb", word);
	return EXIT_USAGE;
}

int
main(int count, char **words)
{
	int code, error;

	if (take_standard_descriptors() < 0)
		return EXIT_ERROR;
	/* It is told as EPIPE. */
	sigpipe_was_ignored = signal(SIGPIPE, SIG_IGN) == SIG_IGN;
	setvbuf(stderr, NULL, _IOLBF, 0); /* a line is one write */
	if (count < 2) {
		complain("what to do? see: cubby help");
		return EXIT_USAGE;
	}
	code = run_word(count - 1, words + 1);
	error = output_end();
	watch_end();
	if (error && code == EXIT_DONE)
		code = output_complain(error);
	return code;
}
