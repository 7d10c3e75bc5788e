#include "bundle.h"

void bundle_add(struct bundle *bundle, const struct artifact *artifact)
{
	bundle->artifacts = grow_array(bundle->artifacts, bundle->count, sizeof(*bundle->artifacts));
	bundle->artifacts[bundle->count++] = *artifact;
}

static void write_text(const void *maker, const struct artifact *artifact, struct text *out)
{
	const struct text *text = maker;

	(void) artifact;
	text_append(out, text->data, text->length);
}

void bundle_add_text(struct bundle *bundle, enum artifact_place place, const char *name, mode_t mode,
		     const struct text *text)
{
	bundle_add(bundle, &(struct artifact){
		.kind = ARTIFACT_FILE, .place = place, .mode = mode, .directory = "", .name = name,
		.write = write_text, .maker = text,
	});
}

void bundle_done(struct bundle *bundle)
{
	free(bundle->artifacts);
	*bundle = (struct bundle){ NULL, 0 };
}
