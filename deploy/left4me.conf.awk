# awk -v libexecdir=DIR -f left4me.conf.awk generator/keys.h: the commented left4me.conf, from the list of keys.

# The next argument of a KEY(): a string without its quotes, or a word.
function argument(    value) {
	sub(/^[ \t,\\]+/, "", entry)
	if (substr(entry, 1, 1) == "\"") {
		match(entry, /^"[^"]*"/)
		value = substr(entry, 2, RLENGTH - 2)
	} else {
		match(entry, /^[A-Za-z_]+/)
		value = substr(entry, 1, RLENGTH)
	}
	entry = substr(entry, RLENGTH + 1)
	return value
}

function print_key(    section, name, fallback, shown, comment) {
	section = argument()
	name = argument()
	argument()
	fallback = argument()
	argument()
	shown = argument()
	comment = argument()
	if (section != last)
		print "\n[" section "]"
	else if (comment != "")
		print ""
	last = section
	if (comment != "")
		print "# " comment
	if (fallback == "LIBEXECDIR")
		fallback = libexecdir
	shown = fallback == "NULL" ? shown : fallback
	print "#" name " =" (shown == "" ? "" : " " shown)
}

BEGIN {
	print "# left4me.conf(5). Every key with its default; a host that is content with them needs nothing in here."
	print "# Fragments in left4me.conf.d/*.conf come later and win; host.env and web.env come before and lose."
	print "# A bad value costs its own key only and is reported: left4me-generator check. Then: systemctl daemon-reload."
}

/^\tKEY\(/ {
	entry = substr($0, 6)
	while (entry !~ /"\)( \\)?$/ && (getline line) > 0)
		entry = entry line
	print_key()
}
