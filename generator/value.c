#include "value.h"

#include <arpa/inet.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base.h"
#include "cpuset.h"
#include "name.h"

#define DIGITS "0123456789"

static const char *const yes[] = { "yes", "true", "on", "1" };
static const char *const no[] = { "no", "false", "off", "0" };

static bool is_one_of(const char *value, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(value, words[i]) == 0)
			return true;
	return false;
}

bool value_is_yes(const char *value)
{
	return is_one_of(value, yes, ELEMENTS(yes));
}

static bool is_yes_or_no(const char *value)
{
	return value_is_yes(value) || is_one_of(value, no, ELEMENTS(no));
}

/* The number of digits at the start of s, if there are 1 to max of them, else 0. */
static size_t leading_digits(const char *s, size_t max)
{
	size_t n = strspn(s, DIGITS);

	return n <= max ? n : 0;
}

bool value_size(const char *value, double *ret_bytes)
{
	static const char units[] = "KMGT";
	size_t whole, fraction;
	const char *unit;
	double bytes = 0, digit = 1;

	if (strcmp(value, "infinity") == 0) {
		*ret_bytes = HUGE_VAL;
		return true;
	}
	whole = leading_digits(value, 18);
	for (size_t i = 0; i < whole; i++)
		bytes = bytes * 10 + (value[i] - '0');
	value += whole;
	if (whole > 0 && *value == '.') {
		fraction = leading_digits(value + 1, 9);
		for (size_t i = 1; i <= fraction; i++)
			bytes += (value[i] - '0') * (digit /= 10);
		if (fraction == 0)
			return false;
		value += fraction + 1;
	}
	unit = *value ? strchr(units, *value) : NULL;
	for (const char *u = units; unit && u <= unit; u++)
		bytes *= 1024;
	*ret_bytes = bytes;
	return whole > 0 && (*value == '\0' || (unit && value[1] == '\0')) && bytes >= 1 && bytes < 9e18;
}

/* systemd refuses a limit of 0 or from 2^63 on with a warning and then has none (systemd.resource-control(5)). */
static bool is_size(const char *value)
{
	double bytes;

	return value_size(value, &bytes);
}

/* Of less nothing comes up that is limited so: most often a unit was forgotten. */
static bool is_limit(const char *value)
{
	double bytes;

	return value_size(value, &bytes) && bytes >= 64.0 * 1024 * 1024;
}

static bool is_time(const char *value)
{
	static const struct {
		const char *unit;
		long seconds;
	} units[] = { { "s", 1 }, { "min", 60 }, { "h", 3600 } };
	size_t digits = leading_digits(value, 9);
	long number = 0;

	if (digits == 0)
		return false;
	for (size_t i = 0; i < digits; i++)
		number = number * 10 + (value[i] - '0');
	for (size_t i = 0; i < ELEMENTS(units); i++)
		if (strcmp(value + digits, units[i].unit) == 0)
			return number >= 1 && number <= 365L * 24 * 3600 / units[i].seconds;
	return false;
}

static bool is_memory(const char *value)
{
	size_t digits = leading_digits(value, 3);
	unsigned percent = 0;

	for (size_t i = 0; i < digits; i++)
		percent = percent * 10 + (unsigned) (value[i] - '0');
	return is_size(value) || (percent >= 1 && percent <= 100 && strcmp(value + digits, "%") == 0);
}

static bool is_quota(const char *value)
{
	size_t digits = leading_digits(value, 6);

	return digits > 0 && strspn(value, "0") < digits && strcmp(value + digits, "%") == 0;
}

/*
 * '%' starts a specifier, ':' separates the two halves of BindPaths=, and '$' has no escape in the path of a
 * program (systemd.service(5) expands variables in arguments only).
 */
static bool is_path(const char *value)
{
	return valid_path(value) && valid_text(value, strlen(value)) && !strpbrk(value, " %$\"'\\:") &&
	       strlen(value) < 200;
}

static bool is_user(const char *value)
{
	static const char first[] = "abcdefghijklmnopqrstuvwxyz_";
	static const char others[] = "abcdefghijklmnopqrstuvwxyz_0123456789-";

	return *value && strchr(first, *value) && value[strspn(value, others)] == '\0' && strlen(value) <= 31;
}

static bool is_number(const char *value, int64_t min, int64_t max)
{
	int64_t number;

	if (*value == '-' && min < 0)
		return parse_decimal(value + 1, 1, -min, &number);
	return parse_decimal(value, min > 0 ? min : 0, max, &number);
}

static bool is_ports(const char *value)
{
	const char *dash = strchr(value, '-');
	char first[8] = "";
	int64_t low, high;

	if (!dash || dash - value >= (ptrdiff_t) sizeof(first))
		return false;
	memcpy(first, value, (size_t) (dash - value));
	return parse_decimal(first, 1024, 65535, &low) && parse_decimal(dash + 1, 1024, 65535, &high) && low <= high;
}

void value_split_ports(const char *value, unsigned *ret_first, unsigned *ret_last)
{
	char *dash;

	*ret_first = (unsigned) strtoul(value, &dash, 10);
	*ret_last = (unsigned) strtoul(dash + 1, NULL, 10);
}

static bool is_bind(const char *value)
{
	const char *colon = strrchr(value, ':');
	char host[INET6_ADDRSTRLEN + 2] = "";
	size_t length;
	unsigned char address[16];

	if (!colon || !is_number(colon + 1, 1, 65535))
		return false;
	length = (size_t) (colon - value);
	if (length >= sizeof(host))
		return false;
	memcpy(host, value, length);
	if (host[0] != '[')
		return inet_pton(AF_INET, host, address) == 1;
	if (host[length - 1] != ']')
		return false;
	host[length - 1] = '\0';
	return inet_pton(AF_INET6, host + 1, address) == 1;
}

static bool is_prefix(char *word)
{
	char *slash = strchr(word, '/');
	unsigned char address[16];
	bool v6 = strchr(word, ':') != NULL;

	if (!slash || !is_number(slash + 1, 0, v6 ? 128 : 32))
		return false;
	*slash = '\0';
	return inet_pton(v6 ? AF_INET6 : AF_INET, word, address) == 1;
}

static bool is_addresses(const char *value)
{
	cleanup_free char *copy = xstrdup(value);
	char *rest = NULL;

	for (char *word = strtok_r(copy, " \t", &rest); word; word = strtok_r(NULL, " \t", &rest))
		if (!is_prefix(word))
			return false;
	return true;
}

static bool is_calendar(const char *value)
{
	static const char allowed[] = DIGITS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ*:,./~ -";

	return value[strspn(value, allowed)] == '\0' && strlen(value) <= 100;
}

static bool is_words(const char *value)
{
	for (const char *c = value; *c; c++)
		if (*c < ' ' || *c > '~' || strchr("\"'\\", *c))
			return false;
	return *value && *value != ' ';
}

static bool is_command(const char *value)
{
	static const char allowed[] = DIGITS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._+-";
	size_t length = strspn(value, allowed);

	return is_words(value) && *value != '.' && length == strcspn(value, " ");
}

char *value_program(const char *value)
{
	return xasprintf("%.*s", (int) strcspn(value, " "), value);
}

static bool is_program(const char *value)
{
	cleanup_free char *path = value_program(value);

	return *value == '\0' || (is_words(value) && is_path(path));
}

static bool is_host_cpus(const char *value)
{
	struct cpuset set;

	return cpuset_parse_host(value, &set);
}

static bool is_cpu_list(const char *value)
{
	struct cpuset set;

	return *value == '\0' || cpuset_parse(value, &set);
}

/* The number that a macro stands for, as a text. */
#define DIGITS_OF(macro) DIGITS_OF_EXPANDED(macro)
#define DIGITS_OF_EXPANDED(number) #number

static const struct {
	bool (*valid)(const char *value);
	int64_t min, max;              /* of a whole number, which has no function */
	const char *what;
} grammars[] = {
	[TYPE_YES_OR_NO] = { is_yes_or_no, 0, 0, "yes or no" },
	[TYPE_PATH] = { is_path, 0, 0, "an absolute, normalised path without blank, %, $, quote, \\ or :" },
	[TYPE_USER] = { is_user, 0, 0, "a name of the form [a-z_][a-z0-9_-]*" },
	[TYPE_ID] = { NULL, 1, UINT32_MAX - 1, "an id from 1 to 4294967294" },
	[TYPE_SERVERS] = { NULL, 1, SERVERS_MAX, "a number from 1 to " DIGITS_OF(SERVERS_MAX) },
	[TYPE_OVERLAYS] = { NULL, 1, OVERLAY_ROWS_MAX, "a number from 1 to " DIGITS_OF(OVERLAY_ROWS_MAX) },
	[TYPE_HOST_CPUS] = { is_host_cpus, 0, 0, "a number of CPUs from 1 to " DIGITS_OF(CPUS_MAX) " or a list such as 0,2,4 or 0-7" },
	[TYPE_CPU_LIST] = { is_cpu_list, 0, 0, "a list of CPUs such as 0,4 or 0-1" },
	[TYPE_BIND] = { is_bind, 0, 0, "a numeric address and port such as 127.0.0.1:8000" },
	[TYPE_WORKERS] = { NULL, 1, 1024, "a number from 1 to 1024" },
	[TYPE_PORTS] = { is_ports, 0, 0, "a range of ports such as 27000-27999, within 1024 to 65535" },
	[TYPE_SIZE] = { is_size, 0, 0, "a size such as 512M, 1.5G or infinity" },
	[TYPE_LIMIT] = { is_limit, 0, 0, "a size of at least 64M, such as 512M or 1.5G, or infinity" },
	[TYPE_MEMORY] = { is_memory, 0, 0, "a size such as 12G, a percentage such as 85%, or infinity" },
	[TYPE_TASKS] = { NULL, 1, 4194304, "a number from 1 to 4194304" },
	[TYPE_NICE] = { NULL, -20, 19, "a number from -20 to 19" },
	[TYPE_QUOTA] = { is_quota, 0, 0, "a percentage such as 200%" },
	[TYPE_TIME] = { is_time, 0, 0, "a time such as 90s, 15min or 1h, a year at most" },
	[TYPE_ADDRESSES] = { is_addresses, 0, 0, "a list of addresses with prefix length, such as 203.0.113.7/32" },
	[TYPE_WORDS] = { is_words, 0, 0, "words of printable ASCII without quotes and \\" },
	[TYPE_COMMAND] = { is_command, 0, 0, "the name of a program, and arguments of printable ASCII without quotes and \\" },
	[TYPE_PROGRAM] = { is_program, 0, 0, "the absolute path of a program, and arguments of printable ASCII without quotes and \\" },
	[TYPE_CALENDAR] = { is_calendar, 0, 0, "a calendar expression such as *-*-* 04:00:00" },
};

bool value_is(enum value_grammar grammar, const char *value)
{
	if (grammars[grammar].valid)
		return grammars[grammar].valid(value);
	return is_number(value, grammars[grammar].min, grammars[grammar].max);
}

const char *value_what(enum value_grammar grammar)
{
	return grammars[grammar].what;
}
