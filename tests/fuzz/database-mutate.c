/*
 * Changes to a database that SQLite does not turn away at once: of pages, cells and the schema's words, and of log,
 * journal and index with their checksums made right again (sqlite.org/fileformat2.html, walformat.html).
 */
#include "database-input.h"

#include <string.h>

#include "fuzz.h"

static uint64_t state;

static size_t pick(size_t below)
{
	state = state * 6364136223846793005U + 1442695040888963407U;
	return below ? (size_t) (state >> 33) % below : 0;
}

static uint32_t read_number(const uint8_t *at, int size, int little)
{
	uint32_t number = 0;

	for (int i = 0; i < size; i++)
		number = number << 8 | at[little ? size - 1 - i : i];
	return number;
}

static void write_number(uint8_t *at, int size, int little, uint32_t number)
{
	for (int i = 0; i < size; i++)
		at[little ? i : size - 1 - i] = (uint8_t) (number >> 8 * i);
}

int input_split(uint8_t *data, size_t size, struct input *ret_input)
{
	const uint8_t *sizes = data + 1;
	size_t rest = size - HEAD_SIZE;

	if (size <= HEAD_SIZE)
		return 0;
	ret_input->flags = data[0];
	data += HEAD_SIZE;
	for (int i = 0; i < PARTS; i++) {
		size_t wanted = i < PART_DATABASE ? read_number(sizes + 4 * i, 4, 1) : rest;

		ret_input->parts[i].bytes = data;
		ret_input->parts[i].size = wanted < rest ? wanted : rest;
		data += ret_input->parts[i].size;
		rest -= ret_input->parts[i].size;
	}
	return 1;
}

/* --- checksums ------------------------------------------------------------------------------------------- */

static void add_checksum(const uint8_t *bytes, size_t size, int little, uint32_t sum[2])
{
	for (size_t i = 0; i + 8 <= size; i += 8) {
		sum[0] += read_number(bytes + i, 4, little) + sum[1];
		sum[1] += read_number(bytes + i + 4, 4, little) + sum[0];
	}
}

static void repair_log(uint8_t *log, size_t size)
{
	int little = size >= 32 && !(log[3] & 1);
	size_t page = size >= 32 ? read_number(log + 8, 4, 0) : 0;
	uint32_t sum[2] = { 0, 0 };

	if (page < 512 || page > 65536)
		return;
	add_checksum(log, 24, little, sum);
	write_number(log + 24, 4, 0, sum[0]);
	write_number(log + 28, 4, 0, sum[1]);
	for (uint8_t *frame = log + 32; (size_t) (frame - log) + 24 + page <= size; frame += 24 + page) {
		memcpy(frame + 8, log + 16, 8);        /* the salts */
		add_checksum(frame, 8, little, sum);
		add_checksum(frame + 24, page, little, sum);
		write_number(frame + 16, 4, 0, sum[0]);
		write_number(frame + 20, 4, 0, sum[1]);
	}
}

/* The head of the log's index stands there twice. */
static void repair_index(uint8_t *index, size_t size)
{
	uint32_t sum[2] = { 0, 0 };

	if (size < 96)
		return;
	add_checksum(index, 40, 1, sum);
	write_number(index + 40, 4, 1, sum[0]);
	write_number(index + 44, 4, 1, sum[1]);
	memcpy(index + 48, index, 48);
}

static void repair_journal(uint8_t *journal, size_t size)
{
	static const uint8_t magic[8] = { 0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7 };
	size_t sector = size >= 28 ? read_number(journal + 20, 4, 0) : 0;
	size_t page = size >= 28 ? read_number(journal + 24, 4, 0) : 0;

	if (page < 512 || page > 65536 || sector < 32 || sector > 65536)
		return;
	memcpy(journal, magic, sizeof(magic));
	for (size_t at = sector; at + page + 8 <= size; at += page + 8) {
		uint32_t sum = read_number(journal + 12, 4, 0);

		for (size_t i = page - 200; i > 0 && i < page; i -= 200)
			sum += journal[at + 4 + i];
		write_number(journal + at + 4 + page, 4, 0, sum);
	}
}

/* --- changes --------------------------------------------------------------------------------------------- */

static void change_bytes(uint8_t *bytes, size_t size)
{
	uint8_t window[64];
	size_t length = 1 + pick(size < sizeof(window) ? size : sizeof(window)), at = pick(size - length + 1);

	memcpy(window, bytes + at, length);
	(void) LLVMFuzzerMutate(window, length, length);
	memcpy(bytes + at, window, length);
}

/* A b-tree page: the kind, how many cells, where they are, or a cell's own first bytes. */
static void change_page(uint8_t *page, size_t size, int is_first)
{
	static const uint8_t kinds[] = { 2, 5, 10, 13, 0, 255 };
	static const uint32_t numbers[] = { 0, 1, 2, 3, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff };
	uint8_t *head = page + (is_first ? 100 : 0);
	size_t room = size - (is_first ? 100 : 0), cells, at;

	if (size < 512)
		return;
	cells = read_number(head + 3, 2, 0);
	switch (pick(5)) {
	case 0:
		head[0] = kinds[pick(sizeof(kinds))];
		break;
	case 1:
		write_number(head + 1 + 2 * pick(3), 2, 0, numbers[pick(ELEMENTS(numbers))]);
		break;
	case 2:
		write_number(head + 8, 4, 0, (uint32_t) pick(12));
		break;
	case 3:
		at = 8 + 2 * pick(cells + 2);
		if (at + 2 <= room)
			write_number(head + at, 2, 0, pick(2) ? numbers[pick(ELEMENTS(numbers))] : (uint32_t) pick(size));
		break;
	default:
		at = 8 + 2 * pick(cells);
		at = at + 2 <= room ? read_number(head + at, 2, 0) + pick(12) : size;
		if (at < size)
			page[at] = pick(2) ? (uint8_t) pick(256) : (uint8_t) numbers[pick(7)];
	}
}

/* Over a word of the schema, which is text in the first pages. */
static void change_schema(uint8_t *bytes, size_t size)
{
	static const char *const words[] = {
		"SELECT", "FROM", "AS", "name", "port", "servers", "generator_instances", "generator_layers", "enabled",
		"randomblob(1e9)", "zeroblob(99)", "load_extension('x')", "sqlite_schema", "UNION ALL", "WITH RECURSIVE ",
		"(SELECT ", "1,2,3,4", "x'00'", "NULL", "1e999", "-1", "char(10)", "'", "\"", "(", ")", "*", "--", "\n",
		"json_each", "group_concat(", "abs(-9223372036854775808)", "printf('%9999999d',1)", "hex(", "replace(",
	};
	const char *word = words[pick(ELEMENTS(words))];
	size_t length = strlen(word), at = pick(size);

	for (size_t tries = 0; tries < 200 && (bytes[at] < ' ' || bytes[at] > '~'); tries++)
		at = pick(size);
	while (at > 0 && bytes[at - 1] > ' ' && bytes[at - 1] <= '~' && pick(8))
		at--;
	if (at + length <= size)
		memcpy(bytes + at, word, length);
}

static size_t page_size(const struct input *input)
{
	size_t size = input->parts[PART_DATABASE].size >= 100 ? read_number(input->parts[PART_DATABASE].bytes + 16, 2, 0) : 0;

	return size >= 512 && size <= 32768 && !(size & (size - 1)) ? size : 512;
}

static void change_part(const struct input *input, enum part part)
{
	uint8_t *bytes = input->parts[part].bytes;
	size_t size = input->parts[part].size, page = page_size(input);
	size_t head = part == PART_WAL ? 32 : part == PART_JOURNAL ? 512 : 0;
	size_t stride = page + (part == PART_WAL ? 24 : part == PART_JOURNAL ? 8 : 0);
	size_t before = part == PART_WAL ? 24 : part == PART_JOURNAL ? 4 : 0;
	size_t pages = size > head ? (size - head) / stride : 0, number = pick(pages);
	uint8_t *start = bytes + head + number * stride;

	if (size == 0)
		return;
	if (pages == 0 || part == PART_SHM || pick(4) == 0)
		change_bytes(bytes, part == PART_SHM && size > 96 ? 96 : size);
	else if (part != PART_DATABASE && pick(4) == 0)
		write_number(start + 4 * pick(part == PART_WAL ? 2 : 1), 4, 0, (uint32_t) pick(16));
	else if (pick(6) == 0)
		memcpy(start, bytes + head + pick(pages) * stride, stride);
	else if (pick(2))
		change_page(start + before, page, number == 0 && part == PART_DATABASE);
	else
		change_schema(start + before, page);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	struct input input;

	state = seed;
	if (pick(12) == 0 || !input_split(data, size, &input))
		return LLVMFuzzerMutate(data, size, max);
	if (pick(16) == 0)
		data[0] ^= (uint8_t) (1U << pick(5));
	for (size_t i = 1 + pick(4); i > 0; i--)
		change_part(&input, pick(2) ? PART_DATABASE : (enum part) pick(PARTS));
	if (pick(8)) {
		repair_log(input.parts[PART_WAL].bytes, input.parts[PART_WAL].size);
		repair_index(input.parts[PART_SHM].bytes, input.parts[PART_SHM].size);
		repair_journal(input.parts[PART_JOURNAL].bytes, input.parts[PART_JOURNAL].size);
	}
	return size;
}
