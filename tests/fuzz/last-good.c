/* Any bytes as RUN/left4me/last-good. What is taken is read a second time here, then goes the way of all rows. */
#include "last-good.h"

#include <errno.h>
#include <unistd.h>

#include "fuzz.h"
#include "oracle.h"

/* The end of the record at `at`, which is its NUL; NULL without one. */
static const char *end_of(const char *at, const char *end)
{
	return at < end ? memchr(at, '\0', (size_t) (end - at)) : NULL;
}

/* One value: its end in *at. The grammar is that of rows.h's head. */
static bool read_value(const char **at, const char *end, struct value *value)
{
	char *digits_end;
	unsigned long length;

	if (*at >= end || !strchr("nifsbl", **at) || !**at || (*at)[1] == '-' || (*at)[1] == '+')
		return false;
	value->type = (enum value_type) **at;
	if ((*at)[1] != ' ' && ((*at)[1] < '0' || (*at)[1] > '9'))
		return false;
	length = (*at)[1] == ' ' ? 0 : strtoul(*at + 1, &digits_end, 10);
	if ((*at)[1] == ' ')
		digits_end = (char *) *at + 1;
	if (*digits_end != ' ' || length > VALUE_MAX || (size_t) (end - digits_end) < length + 2 || digits_end[1 + length])
		return false;
	value->text = digits_end + 1;
	value->length = length;
	*at = value->text + length + 1;
	return true;
}

/* What rows_take() made of the bytes, against a reading of them from the first to the last. */
static void compare(const char *data, size_t length, const struct rows *rows)
{
	static const char *const headers[] = { "left4me last-good 1\n", "left4me last-good 2\n" };
	static const char *const all_heads[2][VIEW_COUNT] = {
		{ "generator_instances", "generator_layers", "generator_overlays" },
		{ "generator_instances name port arguments enabled created", "generator_layers instance position overlay",
		  "generator_overlays id name script" },
	};
	static const size_t all_counts[2][VIEW_COUNT] = { { 4, 3, 3 }, { 5, 3, 3 } };
	const size_t header = strlen(headers[0]);
	const bool present = length > header && strncmp(data, headers[1], header) == 0;
	const char *const *heads = all_heads[present], *at = data + header, *end = data + length;
	const size_t *column_counts = all_counts[present];

	EXPECT(length > header && strncmp(data, headers[present], header) == 0, "another header");
	for (enum view view = 0; view < VIEW_COUNT; view++) {
		EXPECT(end_of(at, end) && strcmp(at, heads[view]) == 0, "no view '%s'", heads[view]);
		at = end_of(at, end) + 1;
		for (size_t row = 0; row < rows->of[view].count; row++) {
			const struct value *values = rows_row(rows, view, row);
			struct value value;

			for (size_t i = 0; i < column_counts[view]; i++) {
				EXPECT(read_value(&at, end, &value), "a value that is none was taken: %.20s", at);
				EXPECT(value.type == values[i].type && value.length == values[i].length &&
				       memcmp(value.text, values[i].text, value.length + 1) == 0, "another value: %s", value.text);
			}
			if (view == VIEW_INSTANCES && !present)
				EXPECT(values[INSTANCE_CREATED].type == VALUE_NULL, "version 1 knows no `created`");
		}
	}
	EXPECT(end - at == 4 && strcmp(at, "end") == 0, "what follows the rows: %.20s", at);
}

/* Changes one record and gives its value the length it has then. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	static uint8_t value[VALUE_MAX + 64];
	char head[32];
	size_t starts[512], count = 0, at = 0, start, old, new, head_length;

	if (seed % 4 == 0)
		return LLVMFuzzerMutate(data, size, max);
	for (; at < size && count < ELEMENTS(starts); count++) {
		const uint8_t *end = memchr(data + at, '\0', size - at);

		starts[count] = at;
		at = end ? (size_t) (end - data) + 1 : size;
	}
	if (count < 2)
		return LLVMFuzzerMutate(data, size, max);
	start = starts[seed / 4 % count];
	for (at = start; at < size && data[at] && data[at] != ' '; at++)
		;
	old = at < size ? strnlen((char *) data + at, size - at) : 0;
	if (old == 0 || old > VALUE_MAX || data[at] != ' ')
		return LLVMFuzzerMutate(data, size, max);
	memcpy(value, data + at + 1, old - 1);
	new = LLVMFuzzerMutate(value, old - 1, VALUE_MAX);
	head_length = (size_t) snprintf(head, sizeof(head), "%c%zu ", data[start], new);
	if (size - (at + old) + start + head_length + new > max)
		return size;
	memmove(data + start + head_length + new, data + at + old, size - (at + old));
	memcpy(data + start, head, head_length);
	memcpy(data + start + head_length, value, new);
	return size - (at + old) + start + head_length + new;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct running running;
	cleanup_free char *path = xasprintf("%s/last-good", fuzz_folder());
	cleanup_free char *bytes = xcalloc(size + 1, 1);
	int descriptor = fuzz_next_descriptor(), r;
	struct rows rows;

	memcpy(bytes, data, size);
	fuzz_write(path, data, size);
	r = last_good_read(path, &rows);
	EXPECT(fuzz_next_descriptor() == descriptor, "a descriptor is left open");
	if (r < 0) {
		EXPECT(r == -EINVAL, "error %d", r);
		return 0;
	}
	compare(bytes, size, &rows);
	oracle_rows(&rows, &running, 0);
	rows_done(&rows);
	return 0;
}
