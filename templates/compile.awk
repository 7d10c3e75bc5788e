# awk -f compile.awk [-v header=1] TEMPLATE...: C source of the templates in pieces (generator/template.h), or the
# header that declares them. The template in the file server.service is template_server_service.
#
# A placeholder @GAME_NICE@ becomes VAR_GAME_NICE of generator/variables.h: one that is not there does not compile.

# A newline goes with the line behind it, not with the one before: "Nice=@GAME_NICE@" is then one piece. Before the first
# line there is none to owe: lines that depend on a variable, up to the first other, have theirs at the end.

# The bytes of a text and the text as part of a C string (LC_ALL=C: a character is a byte).
function literal(text, before, behind) {
	bytes += before + length(text) + behind
	gsub(/["\\?]/, "\\\\&", text)
	return "\t  \"" (before ? "\\n" : "") text (behind ? "\\n" : "") "\""
}

# A piece; `line` is how many make up the line that it begins.
function add_piece(line, text, variable) {
	pieces = pieces "\t{ " line ", " variable ", " bytes ",\n" text " },\n"
	bytes = 0
}

# What was collected of lines without a placeholder.
function end_plain() {
	if (plain != "")
		add_piece(0, plain, "NO_VARIABLE")
	plain = ""
	bytes = 0
}

function add_line(line,    count, before, rest, text) {
	end_plain()
	rest = line
	count = gsub(/@[A-Z_]+@/, "&", rest) + (!owed || line !~ /@[A-Z_]+@$/)
	before = owed
	for (; match(line, /@[A-Z_]+@/); count = before = 0) {
		text = literal(substr(line, 1, RSTART - 1), before, 0)
		add_piece(count, text, "VAR_" substr(line, RSTART + 1, RLENGTH - 2))
		line = substr(line, RSTART + RLENGTH)
	}
	if (line == "" && owed)
		return
	text = literal(line, 0, !owed)
	add_piece(0, text, "NO_VARIABLE")
}

# A line that depends on nothing.
function add_plain(line) {
	plain = plain (plain == "" ? "" : "\n") literal(line, owed, 0)
	owed = 1
}

function end_template() {
	if (owed)
		plain = plain (plain == "" ? "" : "\n") literal("", 1, 0)
	owed = 0
	end_plain()
	if (name != "" && !header)
		printf "static const struct piece %s[] = {\n%s};\nconst struct template template_%s = { %s, ELEMENTS(%s) };\n",
			name, pieces, name, name, name
	if (name != "" && header)
		printf "extern const struct template template_%s;\n", name
	pieces = ""
}

BEGIN {
	print header ? "#pragma once\n#include \"template.h\"" : "#include \"templates.h\"\n#include \"variables.h\""
}

FNR == 1 {
	end_template()
	name = FILENAME
	sub(/.*\//, "", name)
	gsub(/[^A-Za-z0-9]/, "_", name)
}

{
	if ($0 ~ /@[A-Z_]+@/)
		add_line($0)
	else
		add_plain($0)
}

END {
	end_template()
}
