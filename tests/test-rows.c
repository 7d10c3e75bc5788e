/*
 * rows.h: the form in which rows cross from the child that parsed a hostile file to root's process, and from one run
 * to the next. Whatever stands there is refused or read without leaving the data: each byte is changed
 * to each other value, the stream cut at each length, lengths made to lie.
 */
#include "rows.h"

#include <stdint.h>

#include "tap.h"

#define STREAM(string) string, sizeof(string) - 1
#define HEAD "left4me last-good 2\n"
#define I "generator_instances name port arguments enabled created\0"
#define L "generator_layers instance position overlay\0"
#define O "generator_overlays id name script\0"
#define END "end\0"
#define EMPTY HEAD I L O END
#define INSTANCES(values) HEAD I values L O END
#define V1 "left4me last-good 1\n"
#define ROW "s1 a\0i5 27015\0s0 \0i1 1\0n0 \0"
#define NUMBER_40 "0123456789012345678901234567890123456789"

/* In a block of its own size, so that a sanitizer sees the first byte beyond. */
static bool take(const char *bytes, size_t length, struct rows *ret_rows)
{
	struct text copy = { .data = xrealloc(NULL, length + !length, 1), .length = length, .capacity = length, .fd = -1 };
	bool taken;

	memcpy(copy.data, bytes, length);
	taken = rows_take(&copy, ret_rows);
	if (taken != (copy.data == NULL) || copy.length != (taken ? 0 : length))
		ok(false, "rows_take() and its ownership disagree");
	text_done(&copy);
	return taken;
}

static bool is_sound_value(const struct rows *rows, const struct value *value)
{
	const struct text *text = &rows->text;

	return value->text && value->text >= text->data && strchr("nifsbl", (int) value->type) &&
	       value->length <= VALUE_MAX && value->text + value->length < text->data + text->length &&
	       value->text[value->length] == '\0';
}

/* Walks over all values; false when one is not what the header promises. */
static bool is_sound(const struct rows *rows)
{
	for (enum view view = 0; view < VIEW_COUNT; view++) {
		if (rows->of[view].count > views[view].rows_max)
			return false;
		for (size_t i = 0; i < rows->of[view].count; i++)
			for (size_t k = 0; k < views[view].column_count; k++)
				if (!is_sound_value(rows, &rows_row(rows, view, i)[k]))
					return false;
	}
	return true;
}

static void put(struct text *out, enum value_type type, const char *text)
{
	rows_put_value(out, type, text, strlen(text));
}

/* One row of each kind in each view. */
static void make_stream(struct text *out)
{
	text_puts(out, ROWS_HEADER);
	rows_put_view(out, VIEW_INSTANCES);
	put(out, VALUE_TEXT, "alpha"), put(out, VALUE_INTEGER, "27015"), put(out, VALUE_TEXT, "+map x"), put(out, VALUE_INTEGER, "1"),
		put(out, VALUE_INTEGER, "1795919980");
	rows_put_value(out, VALUE_TEXT, "a\0b", 3);
	put(out, VALUE_REAL, "27015.0"), put(out, VALUE_NULL, ""), put(out, VALUE_BLOB, "12"), put(out, VALUE_NULL, "");
	rows_put_view(out, VIEW_LAYERS);
	put(out, VALUE_TEXT, "alpha"), put(out, VALUE_INTEGER, "-1"), put(out, VALUE_INTEGER, "9223372036854775807");
	rows_put_view(out, VIEW_OVERLAYS);
	put(out, VALUE_INTEGER, "1"), put(out, VALUE_TOO_LONG, "1048577"), put(out, VALUE_TEXT, "");
	rows_put_end(out);
}

static void is_value(const struct value *value, enum value_type type, const char *text, size_t length)
{
	ok(value->type == type && value->length == length && memcmp(value->text, text, length) == 0,
	   "comes back: '%c' of %zu bytes", (char) type, length);
}

static void test_there_and_back(const struct text *stream)
{
	const struct value *row;
	struct rows rows;

	if (!ok(take(stream->data, stream->length, &rows), "a whole stream"))
		return;
	is_int((long long) rows.of[VIEW_INSTANCES].count, 2, "two instances");
	is_int((long long) rows.of[VIEW_LAYERS].count, 1, "a layer");
	is_int((long long) rows.of[VIEW_OVERLAYS].count, 1, "an overlay");
	row = rows_row(&rows, VIEW_INSTANCES, 0);
	is_value(&row[INSTANCE_NAME], VALUE_TEXT, "alpha", 5);
	is_value(&row[INSTANCE_PORT], VALUE_INTEGER, "27015", 5);
	row = rows_row(&rows, VIEW_INSTANCES, 1);
	is_value(&row[INSTANCE_NAME], VALUE_TEXT, "a\0b", 3);
	is_value(&row[INSTANCE_PORT], VALUE_REAL, "27015.0", 7);
	is_value(&row[INSTANCE_ARGUMENTS], VALUE_NULL, "", 0);
	is_value(&row[INSTANCE_ENABLED], VALUE_BLOB, "12", 2);
	row = rows_row(&rows, VIEW_LAYERS, 0);
	is_value(&row[LAYER_INSTANCE], VALUE_TEXT, "alpha", 5);
	is_value(&row[LAYER_OVERLAY], VALUE_INTEGER, "9223372036854775807", 19);
	row = rows_row(&rows, VIEW_OVERLAYS, 0);
	is_value(&row[OVERLAY_NAME], VALUE_TOO_LONG, "1048577", 7);
	is_value(&row[OVERLAY_SCRIPT], VALUE_TEXT, "", 0);
	ok(is_sound(&rows), "and is sound");
	rows_done(&rows);
	ok(rows.text.data == NULL && rows.values == NULL && rows.of[0].count == 0, "nothing is left");
}

/* The form is written down here a second time: what changes it makes the rows of an older version unreadable. */
static void test_form(void)
{
	cleanup_text struct text out = TEXT_EMPTY;

	text_puts(&out, ROWS_HEADER);
	rows_put_view(&out, VIEW_INSTANCES);
	put(&out, VALUE_TEXT, "alpha"), put(&out, VALUE_INTEGER, "27015"), put(&out, VALUE_TEXT, ""), put(&out, VALUE_NULL, "");
	rows_put_view(&out, VIEW_LAYERS);
	rows_put_view(&out, VIEW_OVERLAYS);
	rows_put_end(&out);
	ok(out.length == sizeof(INSTANCES("s5 alpha\0i5 27015\0s0 \0n0 \0")) - 1 &&
	   memcmp(out.data, INSTANCES("s5 alpha\0i5 27015\0s0 \0n0 \0"), out.length) == 0, "the form, byte by byte");
}

static const struct {
	const char *name, *bytes;
	size_t length;
	bool valid;
} streams[] = {
	{ "no rows", STREAM(EMPTY), true },
	{ "nothing", STREAM(""), false },
	{ "the header alone", STREAM(HEAD), false },
	{ "another version", STREAM("left4me last-good 3\n" I L O END), false },
	{ "version 1 without rows", STREAM(V1 "generator_instances\0generator_layers\0generator_overlays\0" END), false },
	{ "version 1 with a row", STREAM(V1 "generator_instances\0" ROW "generator_layers\0generator_overlays\0" END), false },
	{ "views of version 1 under a newer header", STREAM(HEAD "generator_instances\0" ROW L O END), false },
	{ "columns under the header of version 1", STREAM(V1 I ROW L O END), false },
	{ "six rows of five columns where another wrote five of six", STREAM(HEAD "generator_instances name port arguments enabled created gone\0"
							       ROW ROW ROW ROW ROW ROW L O END), false },
	{ "a column less", STREAM(HEAD "generator_instances name port arguments enabled\0" L O END), false },
	{ "a column more", STREAM(HEAD "generator_instances name port arguments enabled created more\0" L O END), false },
	{ "a column of another name", STREAM(HEAD "generator_instances name port options enabled created\0" L O END), false },
	{ "columns in another order", STREAM(HEAD "generator_instances port name arguments enabled created\0" L O END), false },
	{ "a column twice", STREAM(HEAD "generator_instances name port arguments arguments created\0" L O END), false },
	{ "a layer's column less", STREAM(HEAD I "generator_layers instance position\0" O END), false },
	{ "an overlay's column of another name", STREAM(HEAD I L "generator_overlays id title script\0" END), false },
	{ "an overlay's column more", STREAM(HEAD I L "generator_overlays id name script kind\0" END), false },
	{ "a view without columns", STREAM(HEAD "generator_instances\0" L O END), false },
	{ "a blank behind the columns", STREAM(HEAD "generator_instances name port arguments enabled created \0" L O END), false },
	{ "no end", STREAM(HEAD I L O), false },
	{ "an end without its NUL", EMPTY, sizeof(EMPTY) - 2, false },
	{ "something behind the end", STREAM(EMPTY "\0"), false },
	{ "two ends", STREAM(EMPTY END), false },
	{ "views in another order", STREAM(HEAD L I O END), false },
	{ "a view twice", STREAM(HEAD I I L O END), false },
	{ "a good row", STREAM(INSTANCES("s1 a\0i1 1\0s0 \0i1 1\0n0 \0")), true },
	{ "four of five columns", STREAM(INSTANCES("s1 a\0i1 1\0s0 \0i1 1\0")), false },
	{ "six columns", STREAM(INSTANCES("s1 a\0i1 1\0s0 \0i1 1\0i1 1\0n0 \0")), false },
	{ "an unknown type", STREAM(INSTANCES("x1 a\0i1 1\0s0 \0i1 1\0n0 \0")), false },
	{ "no type", STREAM(INSTANCES("\0i1 1\0s0 \0i1 1\0n0 \0")), false },
	{ "no length", STREAM(INSTANCES("s a\0i1 1\0s0 \0i1 1\0n0 \0")), false },
	{ "no blank", STREAM(INSTANCES("s1a\0i1 1\0s0 \0i1 1\0n0 \0")), false },
	{ "a length too short", STREAM(INSTANCES("s1 ab\0i1 1\0s0 \0i1 1\0n0 \0")), false },
	{ "a length too long", STREAM(INSTANCES("s2 a\0i1 1\0s0 \0i1 1\0n0 \0")), false },
	{ "a length beyond the end", STREAM(INSTANCES("s4000 a\0i1 1\0s0 \0i1 1\0n0 \0")), false },
	{ "a length beyond the limit", STREAM(INSTANCES("s4097 a\0i1 1\0s0 \0i1 1\0n0 \0")), false },
	{ "a length of 2^64 + 1", STREAM(INSTANCES("s18446744073709551617 a\0i1 1\0s0 \0i1 1\0n0 \0")), false },
	{ "a negative length", STREAM(INSTANCES("s-1 a\0i1 1\0s0 \0i1 1\0n0 \0")), false },
	{ "a text that holds a record", STREAM(INSTANCES("s5 a\0end\0i1 1\0s0 \0i1 1\0n0 \0")), true },
	{ "a NULL of one byte", STREAM(INSTANCES("n1 a\0i1 1\0s0 \0i1 1\0n0 \0")), false },
	{ "an integer of nothing", STREAM(INSTANCES("s1 a\0i0 \0s0 \0i1 1\0n0 \0")), false },
	{ "an integer of letters", STREAM(INSTANCES("s1 a\0i2 1a\0s0 \0i1 1\0n0 \0")), false },
	{ "an integer with a newline", STREAM(INSTANCES("s1 a\0i2 1\n\0s0 \0i1 1\0n0 \0")), false },
	{ "an integer with a NUL", STREAM(INSTANCES("s1 a\0i3 1\0" "2\0s0 \0i1 1\0n0 \0")), false },
	{ "an integer of 21 digits", STREAM(INSTANCES("s1 a\0i21 123456789012345678901\0s0 \0i1 1\0n0 \0")), false },
	{ "a real with a newline", STREAM(INSTANCES("s1 a\0f2 1\n\0s0 \0i1 1\0n0 \0")), false },
	{ "a real of 40 bytes", STREAM(INSTANCES("s1 a\0f40 " NUMBER_40 "\0s0 \0i1 1\0n0 \0")), false },
	{ "a blob's length of letters", STREAM(INSTANCES("s1 a\0b1 x\0s0 \0i1 1\0n0 \0")), false },
	{ "a long text's length of letters", STREAM(INSTANCES("s1 a\0l2 %n\0s0 \0i1 1\0n0 \0")), false },
};

static void test_streams(void)
{
	for (size_t i = 0; i < ELEMENTS(streams); i++) {
		struct rows rows;
		bool valid = take(streams[i].bytes, streams[i].length, &rows);

		ok(valid == streams[i].valid && (!valid || is_sound(&rows)), "%s is %s", streams[i].name,
		   streams[i].valid ? "taken" : "refused");
		if (valid)
			rows_done(&rows);
	}
}

/* What an upgraded host has kept. */
static void test_version_1(void)
{
#define VIEWS_1(instances, layers, overlays) \
	V1 "generator_instances\0" instances "generator_layers\0" layers "generator_overlays\0" overlays END
	static const struct {
		const char *name, *bytes;
		size_t length;
		const char *wanted;
		size_t wanted_length;
	} table[] = {
		{ "no rows", STREAM(VIEWS_1("", "", "")), STREAM(EMPTY) },
		{ "rows", STREAM(VIEWS_1("s1 a\0i1 1\0s0 \0i1 1\0" "s5 a\0end\0i1 2\0s0 \0i1 0\0", "s1 a\0i1 0\0i1 7\0", "i1 7\0s1 x\0i2 99\0")),
		  STREAM(HEAD I "s1 a\0i1 1\0s0 \0i1 1\0n0 \0" "s5 a\0end\0i1 2\0s0 \0i1 0\0n0 \0" L "s1 a\0i1 0\0i1 7\0"
			 O "i1 7\0s1 x\0i2 99\0" END) },
		{ "a value less", STREAM(VIEWS_1("s1 a\0i1 1\0s0 \0", "", "")), NULL, 0 },
		{ "a value more", STREAM(VIEWS_1("s1 a\0i1 1\0s0 \0i1 1\0n0 \0", "", "")), NULL, 0 },
		{ "a length beyond the end", STREAM(VIEWS_1("s1 a\0i1 1\0s4000 \0i1 1\0", "", "")), NULL, 0 },
		{ "no end", STREAM(V1 "generator_instances\0generator_layers\0generator_overlays\0"), NULL, 0 },
		{ "something behind the end", STREAM(VIEWS_1("", "", "") "\0"), NULL, 0 },
		{ "columns", STREAM(V1 I L O END), NULL, 0 },
		{ "the header of this version", STREAM(HEAD "generator_instances\0generator_layers\0generator_overlays\0" END), NULL, 0 },
	};

	for (size_t i = 0; i < ELEMENTS(table); i++) {
		cleanup_text struct text text = TEXT_EMPTY;
		struct rows rows = ROWS_EMPTY;
		bool taken;

		text_append(&text, table[i].bytes, table[i].length);
		taken = rows_from_version_1(&text) && rows_take(&text, &rows);
		if (!table[i].wanted)
			ok(!taken, "version 1, %s: refused", table[i].name);
		else
			ok(taken && rows.text.length == table[i].wanted_length &&
			   memcmp(rows.text.data, table[i].wanted, table[i].wanted_length) == 0 && is_sound(&rows),
			   "version 1, %s: taken", table[i].name);
		rows_done(&rows);
	}
}

static void test_cut(const struct text *stream)
{
	unsigned taken = 0;
	struct rows rows;

	for (size_t length = 0; length < stream->length; length++)
		if (take(stream->data, length, &rows)) {
			taken++;
			rows_done(&rows);
		}
	is_int(taken, 0, "cut at each of %zu lengths", stream->length);
}

static void test_every_byte(const struct text *stream)
{
	cleanup_free char *copy = xrealloc(NULL, stream->length, 1);
	unsigned taken = 0, unsound = 0;

	memcpy(copy, stream->data, stream->length);
	for (size_t i = 0; i < stream->length; i++) {
		for (int c = 0; c < 256; c++) {
			struct rows rows;

			copy[i] = (char) c;
			if (!take(copy, stream->length, &rows))
				continue;
			taken++;
			unsound += !is_sound(&rows);
			rows_done(&rows);
		}
		copy[i] = stream->data[i];
	}
	is_int(unsound, 0, "each byte changed to each other, %u of %zu taken", taken, stream->length * 256);
}

/* Bytes taken away, put in and doubled in several places at once. */
static void test_mangled(const struct text *stream)
{
	unsigned unsound = 0, seed = 7;

	for (int round = 0; round < 50000; round++) {
		cleanup_free char *copy = xrealloc(NULL, 2 * stream->length, 1);
		size_t length = 0;
		struct rows rows;

		for (size_t i = 0; i < stream->length; i++) {
			seed = seed * 1103515245 + 12345;
			switch (seed >> 16 & 255) {
			case 0:
				break;
			case 1:
				copy[length++] = "0s \0"[seed >> 24 & 3];
				/* fallthrough */
			default:
				copy[length++] = stream->data[i];
			}
		}
		if (!take(copy, length, &rows))
			continue;
		unsound += !is_sound(&rows);
		rows_done(&rows);
	}
	is_int(unsound, 0, "mangled at random");
}

static void test_limits(void)
{
	cleanup_text struct text stream = TEXT_EMPTY;
	char value[VALUE_MAX + 1];
	struct rows rows;

	memset(value, 'x', sizeof(value));
	text_puts(&stream, ROWS_HEADER);
	rows_put_view(&stream, VIEW_INSTANCES);
	rows_put_view(&stream, VIEW_LAYERS);
	rows_put_view(&stream, VIEW_OVERLAYS);
	put(&stream, VALUE_INTEGER, "1"), rows_put_value(&stream, VALUE_TEXT, value, VALUE_MAX), put(&stream, VALUE_NULL, "");
	for (size_t i = 1; i < views[VIEW_OVERLAYS].rows_max; i++)
		put(&stream, VALUE_INTEGER, "1"), put(&stream, VALUE_TEXT, "x"), put(&stream, VALUE_NULL, "");
	rows_put_end(&stream);
	if (ok(take(stream.data, stream.length, &rows), "the longest value and as many rows as may be"))
		rows_done(&rows);
	stream.length -= sizeof("end");
	put(&stream, VALUE_INTEGER, "1"), put(&stream, VALUE_TEXT, "x"), put(&stream, VALUE_NULL, "");
	rows_put_end(&stream);
	ok(!take(stream.data, stream.length, &rows), "one row more is refused");
	stream.length = strlen(ROWS_HEADER);
	rows_put_view(&stream, VIEW_INSTANCES);
	rows_put_view(&stream, VIEW_LAYERS);
	rows_put_view(&stream, VIEW_OVERLAYS);
	put(&stream, VALUE_INTEGER, "1"), rows_put_value(&stream, VALUE_TEXT, value, VALUE_MAX + 1), put(&stream, VALUE_NULL, "");
	rows_put_end(&stream);
	ok(!take(stream.data, stream.length, &rows), "a value a byte too long is refused");
}

int main(void)
{
	cleanup_text struct text stream = TEXT_EMPTY;

	make_stream(&stream);
	test_there_and_back(&stream);
	test_form();
	test_streams();
	test_version_1();
	test_cut(&stream);
	test_every_byte(&stream);
	test_mangled(&stream);
	test_limits();
	return done_testing();
}
