#!/bin/bash
# templates/compile.awk over templates of every shape: what it makes of them is compiled and filled in, and says what is
# written here. A placeholder that no variable has does not compile. The templates themselves: test-template.c.
cd "$(dirname "$0")/.." || exit 1
export BUILD=${BUILD:-build} LC_ALL=C.UTF-8
# shellcheck source=tests/tap.sh
. tests/tap.sh
scratch template

flags=(-std=c11 -D_POSIX_C_SOURCE=200809L -Wall -Wextra -Wshadow -Wmissing-prototypes -Werror -Igenerator -I"$SCRATCH")
case $BUILD in
*/sanitize) flags+=("-fsanitize=address,undefined") ;;
esac

# USER is "user", SERVERS two names that look like placeholders, BUILDS a list of nothing; the others have no text.
cat >"$SCRATCH/fill.c" <<'END'
#include "templates.h"
#include "variables.h"

int main(void)
{
	static const char *const servers[] = { "one", "@USER@" };
	static const struct variable variables[VARIABLE_COUNT] = {
		[VAR_USER] = { .text = "user", .length = 4 },
		[VAR_SERVERS] = { .list = servers, .count = 2 },
	};
	struct text out = TEXT_EMPTY;

	template_fill(&template_odd_conf, variables, &out);
	(void) fwrite(text_string(&out), 1, out.length, stdout);
	text_done(&out);
	return 0;
}
END

compile() { # the template odd.conf
	LC_ALL=C awk -v header=1 -f templates/compile.awk "$SCRATCH/odd.conf" >"$SCRATCH/templates.h" &&
	LC_ALL=C awk -f templates/compile.awk "$SCRATCH/odd.conf" >"$SCRATCH/templates.c" &&
	"${CC:-cc}" "${flags[@]}" -o "$SCRATCH/fill" "$SCRATCH/fill.c" "$SCRATCH/templates.c" \
		"$BUILD/core/template.o" "$BUILD/core/base.o" 2>"$SCRATCH/errors"
}

# NAME TEMPLATE EXPECTED: both with their last newline.
is_filled() {
	printf '%s' "$2" >"$SCRATCH/odd.conf"
	if ! compile; then
		tap_result 1 "$1 compiles"
		diag "$(head -n 5 "$SCRATCH/errors")"
		return
	fi
	"$SCRATCH/fill" >"$SCRATCH/out"
	printf '%s' "$3" | cmp -s - "$SCRATCH/out"
	tap_result $? "$1" || diag "got: $(cat "$SCRATCH/out")"
}

does_not_compile() { # NAME TEMPLATE PLACEHOLDER
	printf '%s' "$2" >"$SCRATCH/odd.conf"
	! compile
	tap_result $? "$1 does not compile"
	like "$(cat "$SCRATCH/errors")" "VAR_$3.*undeclared" "and the compiler names VAR_$3"
}

is_filled "a line" $'text\n' $'text\n'
is_filled "an empty line alone" $'\n' $'\n'
is_filled "empty lines around a text" $'\n\ntext\n\n' $'\n\ntext\n\n'
is_filled "a placeholder alone" $'@USER@\n' $'user\n'
is_filled "a placeholder at the start" $'a\n@USER@ b\nc\n' $'a\nuser b\nc\n'
is_filled "a placeholder at the end" $'a\nb @USER@\nc\n' $'a\nb user\nc\n'
is_filled "a placeholder twice in a line" $'a\n@USER@ and @USER@\nb\n' $'a\nuser and user\nb\n'
is_filled "two placeholders with nothing between" $'a\n<@USER@@USER@>\nb\n' $'a\n<useruser>\nb\n'
is_filled "placeholders in the first and the last line" $'@USER@\na\n@USER@\n' $'user\na\nuser\n'
is_filled "placeholders in line after line" $'@USER@\n@USER@\n\n@USER@\n' $'user\nuser\n\nuser\n'
is_filled "no text: the line is dropped" $'a\nb @ROOT@ c\nd\n' $'a\nd\n'
is_filled "no text: the first line is dropped" $'@ROOT@\na\n' $'a\n'
is_filled "no text: the first two lines are dropped" $'@ROOT@\n@ROOT@\na\n' $'a\n'
is_filled "no text: the only line is dropped" $'@ROOT@\n' ''
is_filled "no text: the last line is dropped" $'a\n@ROOT@\n' $'a\n'
is_filled "no text: the line is dropped, whatever else it has" $'a\n@USER@ @ROOT@\n@SERVERS@ @ROOT@\nb\n' $'a\nb\n'
is_filled "a list of nothing: the line is dropped" $'a\n@USER@ @BUILDS@\nb\n' $'a\nb\n'
is_filled "a list: the line is repeated" $'a\nx @SERVERS@ y\nb\n' $'a\nx one y\nx @USER@ y\nb\n'
is_filled "a list and a text" $'a\n@USER@=@SERVERS@\nb\n' $'a\nuser=one\nuser=@USER@\nb\n'
is_filled "a list twice" $'a\n@SERVERS@ @SERVERS@\nb\n' $'a\none one\n@USER@ @USER@\nb\n'
is_filled "a list at an @" $'a\nserver@@SERVERS@.service\nb\n' $'a\nserver@one.service\nserver@@USER@.service\nb\n'
is_filled "a list in the first line" $'@SERVERS@\na\n' $'one\n@USER@\na\n'
is_filled "a list and a text in the first line" $'<@SERVERS@ @USER@>\n\na\n' $'<one user>\n<@USER@ user>\n\na\n'
is_filled "a list in the only line" $'@SERVERS@\n' $'one\n@USER@\n'
is_filled "a list in the last line" $'a\n@SERVERS@\n' $'a\none\n@USER@\n'
plain=$'@ @@ @@@ @user@ @USER1@ user@host @USER @ USER@ @USER-NAME@\n'
is_filled "what is no placeholder" "$plain" "$plain"
# shellcheck disable=SC1003 # it is meant to end with a backslash
for text in '"quotes" and '\''quotes'\''' 'a backslash \ in between' 'a backslash at the end \' '\\two \n \t \x41 \101 \"' \
	'trigraphs ??/ ??= ??( ??'\''' 'a ?' '???' '\?' 'Grüße, 漢字' '// no comment /* none */' '%s %n %%' '& \& \\&' $'a\ttab'; do
	is_filled "plain: $text" "$text"$'\n' "$text"$'\n'
	is_filled "before a placeholder: $text" "$text @USER@"$'\n' "$text user"$'\n'
	is_filled "behind a placeholder: $text" $'a\n@USER@'"$text"$'\n' $'a\nuser'"$text"$'\n'
done

does_not_compile "an unknown placeholder" $'a\nb=@NO_SUCH_VARIABLE@\n' NO_SUCH_VARIABLE
does_not_compile "a misspelt one beside a known one" $'@USER@ @USERS@\n' USERS
does_not_compile "an unknown one alone in the last line" $'a\n@X@\n' X

done_testing
