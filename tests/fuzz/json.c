#include "json.h"

#include "base.h"
#include "systemd.h"

static bool parse_value(const char **s, struct json *json);

static void done(struct json *json)
{
	for (size_t i = 0; i < json->count; i++)
		done(&json->of[i]);
	free(json->of);
	free(json->text);
	free(json->name);
}

void json_free(struct json *json)
{
	if (json)
		done(json);
	free(json);
}

/* Escapes are \" and \\; nothing that render writes needs another. */
static bool parse_string(const char **s, char **ret_string)
{
	struct text out = TEXT_EMPTY;

	text_puts(&out, "");
	if (*(*s)++ != '"')
		goto bad;
	for (; **s != '"'; (*s)++) {
		if ((unsigned char) **s < ' ')
			goto bad;
		if (**s == '\\' && *++*s != '"' && **s != '\\')
			goto bad;
		text_putc(&out, **s);
	}
	(*s)++;
	if (!is_printable(out.data, out.length))
		goto bad;
	*ret_string = out.data;
	return true;
bad:
	text_done(&out);
	return false;
}

static bool parse_members(const char **s, struct json *json, char closing)
{
	if (**s == closing)
		return (*s)++, true;
	for (;;) {
		struct json member = { 0 };
		bool good = json->kind == JSON_ARRAY || (parse_string(s, &member.name) && *(*s)++ == ':' &&
							 !json_member(json, member.name));

		good = good && parse_value(s, &member);
		json->of = grow_array(json->of, json->count, sizeof(*json->of));
		json->of[json->count++] = member;
		if (!good || (**s != ',' && **s != closing))
			return false;
		if (*(*s)++ == closing)
			return true;
	}
}

static bool parse_value(const char **s, struct json *json)
{
	switch (**s) {
	case '{':
		json->kind = JSON_OBJECT;
		return (*s)++, parse_members(s, json, '}');
	case '[':
		json->kind = JSON_ARRAY;
		return (*s)++, parse_members(s, json, ']');
	default:
		json->kind = JSON_STRING;
		return parse_string(s, &json->text);
	}
}

struct json *json_parse(const char *text)
{
	struct json *json = xcalloc(1, sizeof(*json));

	if (parse_value(&text, json) && strcmp(text, "\n") == 0)
		return json;
	json_free(json);
	return NULL;
}

const struct json *json_member(const struct json *object, const char *name)
{
	for (size_t i = 0; object && object->kind == JSON_OBJECT && i < object->count; i++)
		if (strcmp(object->of[i].name, name) == 0)
			return &object->of[i];
	return NULL;
}

size_t json_leaves(const struct json *json)
{
	size_t count = json->kind == JSON_STRING;

	for (size_t i = 0; i < json->count; i++)
		count += json_leaves(&json->of[i]);
	return count;
}
