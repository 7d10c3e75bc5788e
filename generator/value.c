#include "value.h"

#include <arpa/inet.h>
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

bool value_is_yes_or_no(const char *value)
{
	return value_is_yes(value) || is_one_of(value, no, ELEMENTS(no));
}

/* The number of digits at the start of s, if there are 1 to max of them, else 0. */
static size_t leading_digits(const char *s, size_t max)
{
	size_t n = strspn(s, DIGITS);

	return n <= max ? n : 0;
}

/* systemd refuses a limit of 0 or from 2^63 on with a warning and then has none (systemd.resource-control(5)). */
bool value_is_size(const char *value)
{
	static const char units[] = "KMGT";
	size_t whole, fraction;
	const char *unit;
	double bytes = 0, digit = 1;

	if (strcmp(value, "infinity") == 0)
		return true;
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
	return whole > 0 && (*value == '\0' || (unit && value[1] == '\0')) && bytes >= 1 && bytes < 9e18;
}

bool value_is_time(const char *value)
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

bool value_is_quota(const char *value)
{
	size_t digits = leading_digits(value, 6);

	return digits > 0 && strspn(value, "0") < digits && strcmp(value + digits, "%") == 0;
}

/*
 * '%' starts a specifier, ':' separates the two halves of BindPaths=, and '$' has no escape in the path of a
 * program (systemd.service(5) expands variables in arguments only).
 */
bool value_is_path(const char *value)
{
	return valid_path(value) && valid_text(value, strlen(value)) && !strpbrk(value, " %$\"'\\:") &&
	       strlen(value) < 200;
}

bool value_is_user(const char *value)
{
	static const char first[] = "abcdefghijklmnopqrstuvwxyz_";
	static const char others[] = "abcdefghijklmnopqrstuvwxyz_0123456789-";

	return *value && strchr(first, *value) && value[strspn(value, others)] == '\0' && strlen(value) <= 31;
}

static bool is_number(const char *value, int64_t min, int64_t max)
{
	int64_t number;

	return parse_decimal(value, min, max, &number);
}

bool value_is_id(const char *value)
{
	return is_number(value, 1, (int64_t) UINT32_MAX - 1);
}

bool value_is_cpu_count(const char *value)
{
	return is_number(value, 1, CPUS_MAX);
}

bool value_is_tasks(const char *value)
{
	return is_number(value, 1, 4194304); /* the kernel's own PID limit */
}

bool value_is_nice(const char *value)
{
	return *value == '-' ? is_number(value + 1, 1, 20) : is_number(value, 0, 19);
}

bool value_is_workers(const char *value)
{
	return is_number(value, 1, 1024);
}

bool value_is_ports(const char *value)
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

bool value_is_bind(const char *value)
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

bool value_is_addresses(const char *value)
{
	cleanup_free char *copy = xstrdup(value);
	char *rest = NULL;

	for (char *word = strtok_r(copy, " \t", &rest); word; word = strtok_r(NULL, " \t", &rest))
		if (!is_prefix(word))
			return false;
	return true;
}

bool value_is_calendar(const char *value)
{
	static const char allowed[] = DIGITS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ*:,./~ -";

	return value[strspn(value, allowed)] == '\0' && strlen(value) <= 100;
}

bool value_is_cpu_list(const char *value)
{
	struct cpuset set;

	return *value == '\0' || cpuset_parse(value, &set);
}
