/* A small reader of JSON (RFC 8259), strict: strings, arrays and objects, which is all that render makes. */
#pragma once

#include <stddef.h>

struct json {
	enum { JSON_STRING, JSON_ARRAY, JSON_OBJECT } kind;
	char *text;            /* of a string; where it is a member of an object its name is in `name` */
	char *name;
	struct json *of;
	size_t count;
};

struct json *json_parse(const char *text);     /* NULL for what is no JSON, or a name twice */
void json_free(struct json *json);

/* A member of an object; NULL without one or for another kind. */
const struct json *json_member(const struct json *object, const char *name);

/* How many strings there are that are no names. */
size_t json_leaves(const struct json *json);
