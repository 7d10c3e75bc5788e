#include "name.h"

#include <string.h>

#include "base.h"

static bool is_name_character(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

bool valid_name(const char *name)
{
	size_t length = 0;

	while (length <= 64 && is_name_character(name[length]))
		length++;
	return length >= 1 && length <= 64 && name[length] == '\0' && name[0] != '_' && name[0] != '-';
}

bool parse_decimal(const char *text, int64_t min, int64_t max, int64_t *ret_number)
{
	int64_t number = 0;

	if (text[0] == '\0' || (text[0] == '0' && text[1] != '\0'))
		return false;
	for (const char *c = text; *c; c++) {
		int digit = *c - '0';

		if (digit < 0 || digit > 9 || number > (INT64_MAX - digit) / 10)
			return false;
		number = number * 10 + digit;
	}
	if (number < min || number > max)
		return false;
	*ret_number = number;
	return true;
}

bool parse_id(const char *text, int64_t *ret_id)
{
	return parse_decimal(text, 1, INT64_MAX, ret_id);
}

bool valid_id(const char *text)
{
	int64_t id;

	return parse_id(text, &id);
}

/* The length in bytes of the UTF-8 character at s with `left` bytes to go, 0 when it is none; RFC 3629. */
static size_t utf8_length(const unsigned char *s, size_t left)
{
	static const struct {
		unsigned char first_min, first_max, second_min, second_max;
		size_t length;
	} rows[] = {
		{ 0x00, 0x7f, 0, 0, 1 },
		{ 0xc2, 0xdf, 0x80, 0xbf, 2 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 },
		{ 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 },
		{ 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 },
		{ 0xf1, 0xf3, 0x80, 0xbf, 4 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t length = rows[i].length;

		if (s[0] < rows[i].first_min || s[0] > rows[i].first_max || length > left)
			continue;
		if (length > 1 && (s[1] < rows[i].second_min || s[1] > rows[i].second_max))
			return 0;
		for (size_t k = 2; k < length; k++)
			if ((s[k] & 0xc0) != 0x80)
				return 0;
		return length;
	}
	return 0;
}

size_t character_length(const char *text, size_t left)
{
	const unsigned char *s = (const unsigned char *) text;

	if (left == 0 || s[0] < 0x20 || s[0] == 0x7f || (left > 1 && s[0] == 0xc2 && s[1] < 0xa0))
		return 0;
	return s[0] < 0x7f ? 1 : utf8_length(s, left);
}

bool valid_text(const char *text, size_t length)
{
	const char *end = text + length;

	while (text < end) {
		size_t n = *text >= 0x20 && *text < 0x7f ? 1 : character_length(text, (size_t) (end - text));

		if (n == 0)
			return false;
		text += n;
	}
	return true;
}

bool valid_path(const char *path)
{
	if (path[0] != '/')
		return false;
	for (const char *component = path; *component; ) {
		size_t length = strcspn(++component, "/");

		if (length == 0 || (length <= 2 && strncmp(component, "..", length) == 0))
			return false;
		component += length;
	}
	return true;
}

const char *path_below(const char *path, const char *directory)
{
	size_t length = strlen(directory);

	if (strncmp(path, directory, length) != 0)
		return NULL;
	path += length;
	if (*path == '/')
		return path + 1;
	return *path ? NULL : path;
}

char *path_directory(const char *path)
{
	return xasprintf("%.*s", (int) (strrchr(path, '/') - path), path);
}

char *unit_instance(const char *unit, enum unit_kind *ret_kind)
{
	static const struct {
		const char *prefix;
		bool (*valid)(const char *name);
	} kinds[] = { [UNIT_SERVER] = { SERVER_UNIT, valid_name }, [UNIT_BUILD] = { BUILD_UNIT, valid_id } };
	const char *end = endswith(unit, ".service");

	for (enum unit_kind kind = UNIT_SERVER; end && kind <= UNIT_BUILD; kind++) {
		const char *start = startswith(unit, kinds[kind].prefix);
		cleanup_free char *name = NULL;

		if (!start || start >= end)
			continue;
		name = xasprintf("%.*s", (int) (end - start), start);
		if (!kinds[kind].valid(name))
			return NULL;
		*ret_kind = kind;
		return take_ptr(&name);
	}
	return NULL;
}

static bool is_below_any(const char *path, const char *const *directories, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *below = path_below(path, directories[i]);

		if (below && *below)
			return true;
	}
	return false;
}

bool path_in_homes(const char *path)
{
	static const char *const homes[] = { "/home", "/root", "/run/user" };

	return is_below_any(path, homes, ELEMENTS(homes));
}

bool path_in_usr(const char *path)
{
	static const char *const places[] = { "/usr", "/bin", "/sbin", "/lib", "/lib64" };

	return is_below_any(path, places, ELEMENTS(places));
}

const char *path_mask(const char *path)
{
	static const char *const masks[] = { "/etc", "/home", "/media", "/mnt", "/opt", "/root", "/run", "/srv", "/var" };

	for (size_t i = 0; i < ELEMENTS(masks); i++)
		if (path_below(path, masks[i]))
			return masks[i];
	return NULL;
}

bool path_is_private(const char *path)
{
	static const char *const private[] = { "/tmp", "/var/tmp", "/dev", "/proc", "/sys" };

	return is_below_any(path, private, ELEMENTS(private));
}
