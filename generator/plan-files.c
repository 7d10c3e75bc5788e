#include "plan-files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "name.h"
#include "render.h"

/* --- the tree that is there ------------------------------------------------------------------------------ */

/* Other generators write into the same directory. A user@UID.service is the mask. */
static bool is_ours(const char *name)
{
	return startswith(name, "left4me") || startswith(name, BUILD_UNIT) || startswith(name, "l4d2") || startswith(name, "user@");
}

/* The files of one directory, and those of the directories in it. */
static int read_directory(int parent, const char *name, const char *below, struct collection *collection)
{
	cleanup_closedir DIR *dir = opendirat(parent, name, 0);
	const struct dirent *entry;
	bool top = !*below;

	if (!dir)
		return -errno;
	while ((entry = readdir(dir)) != NULL) {
		const char *file = entry->d_name;
		struct stat st;

		if (*file == '.' || strcmp(file, SLOW_DROP_IN) == 0 || fstatat(dirfd(dir), file, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISDIR(st.st_mode)) {
			if (top)
				(void) read_directory(dirfd(dir), file, file, collection);
		} else if (is_ours(file) || (!top && (is_ours(below) || strcmp(file, "10-left4me-cpuset.conf") == 0))) {
			char *text = S_ISREG(st.st_mode) ? text_of_file(dirfd(dir), file) : NULL;

			collection_add(collection, below, file, text ? text : xstrdup(""));
		}
	}
	return 0;
}

int plan_read_tree(const char *directory, struct collection *ret_collection)
{
	int r;

	*ret_collection = COLLECTION_EMPTY;
	r = read_directory(AT_FDCWD, directory, "", ret_collection);
	collection_sort(ret_collection);
	return r;
}

/* --- the settings that differ ---------------------------------------------------------------------------- */

static bool has_line(const char *text, const char *line, size_t length)
{
	for (; *text; text = line_after(text))
		if (strcspn(text, "\n") == length && memcmp(text, line, length) == 0)
			return true;
	return false;
}

static bool is_setting(const char *line, size_t length)
{
	return length > 0 && !strchr("#;[", *line) && memchr(line, '=', length);
}

/* The first setting of that key in `text` that `other` lacks, or NULL; its value ends with the line. */
static const char *only_value(const char *text, const char *other, const char *key, size_t key_length)
{
	for (; *text; text = line_after(text))
		if (strncmp(text, key, key_length) == 0 && text[key_length] == '=' &&
		    !has_line(other, text, strcspn(text, "\n")))
			return text + key_length + 1;
	return NULL;
}

static void put_value(struct text *out, const char *value)
{
	text_append(out, value, strcspn(value, "\n"));
}

enum { SETTINGS_SHOWN = 3, VALUES_SHOWN = 50 };

/* One setting: by the name of the configuration's key where its value is that key's. */
static void put_change(struct text *out, const char *path, const char *key, size_t length, const char *old, const char *new)
{
	cleanup_free char *setting = xasprintf("%.*s", (int) length, key);
	const char *name = render_key_of(path, setting);

	text_puts(out, out->length ? ", " : "");
	text_printf(out, "%s%s", name ? name : setting, name ? "" : "=");
	if ((old ? strcspn(old, "\n") : 0) + (new ? strcspn(new, "\n") : 0) > VALUES_SHOWN) {
		text_puts(out, " changed");
		return;
	}
	text_puts(out, name ? " " : "");
	if (old)
		put_value(out, old);
	text_puts(out, old && new ? " -> " : old ? " dropped" : "");
	if (new)
		put_value(out, new);
}

void plan_put_settings(struct text *out, const char *path, const char *what, const char *old, const char *new)
{
	cleanup_text struct text words = TEXT_EMPTY;
	const char *const sides[] = { old, new };
	size_t count = 0;

	for (size_t side = 0; side < 2; side++)
		for (const char *line = sides[side]; *line; line = line_after(line)) {
			size_t length = strcspn(line, "\n"), key = strcspn(line, "=");
			const char *was, *is;

			if (!is_setting(line, length) || has_line(sides[!side], line, length))
				continue;
			was = only_value(old, new, line, key);
			is = only_value(new, old, line, key);
			if (side == 0 ? was != line + key + 1 : was != NULL || is != line + key + 1)
				continue;      /* said already, by the first line of that key */
			count++;
			put_change(&words, path, line, key, was, is);
		}
	if (count == 0)
		return;
	text_puts(out, out->length ? ", " : "");
	if (count > SETTINGS_SHOWN)
		text_printf(out, "%s (%zu settings, --diff shows them)", what, count);
	else
		text_puts(out, text_string(&words));
}

/* --- the lines ------------------------------------------------------------------------------------------- */

static void put_lines(struct text *out, char mark, const char *text, const char *other)
{
	for (; *text; text = line_after(text)) {
		size_t length = strcspn(text, "\n");

		if (has_line(other, text, length))
			continue;
		text_putc(out, mark);
		text_append(out, text, length);
		text_putc(out, '\n');
	}
}

static void put_file(struct text *out, const char *path, const char *old, const char *new)
{
	if (old && new && strcmp(old, new) == 0)
		return;
	text_printf(out, "%s%s\n", path, !old ? " (new)" : !new ? " (gone)" : "");
	put_lines(out, '-', old ? old : "", new ? new : "");
	put_lines(out, '+', new ? new : "", old ? old : "");
}

void plan_diff(const struct collection *old, const struct collection *new, struct text *out)
{
	struct collected_pair pair = { .path = NULL };

	while (collections_next(old, new, &pair))
		put_file(out, pair.path, pair.old, pair.new);
}
