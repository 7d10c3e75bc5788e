/* main() of the targets where there is no libFuzzer: runs the inputs in the files and folders named. */
#include <dirent.h>
#include <sys/stat.h>

#include "fuzz.h"

static size_t count;

static void run_file(const char *path)
{
	FILE *file = fopen(path, "re");
	uint8_t *bytes = xcalloc(1, 1 << 20);
	size_t length = file ? fread(bytes, 1, 1 << 20, file) : 0;

	EXPECT(file, "cannot read %s", path);
	(void) fclose(file);
	(void) printf("# %s, %zu bytes\n", path, length);
	(void) fflush(stdout);
	(void) LLVMFuzzerTestOneInput(bytes, length);
	free(bytes);
	count++;
}

static void run(const char *path)
{
	struct stat st;
	DIR *dir;

	EXPECT(stat(path, &st) == 0, "there is no %s", path);
	if (!S_ISDIR(st.st_mode)) {
		run_file(path);
		return;
	}
	dir = opendir(path);
	EXPECT(dir, "cannot open %s", path);
	for (struct dirent *entry; (entry = readdir(dir)) != NULL; ) {
		cleanup_free char *file = xasprintf("%s/%s", path, entry->d_name);

		if (entry->d_name[0] != '.')
			run(file);
	}
	(void) closedir(dir);
}

/* In its place; what mutates is not called. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max)
{
	(void) data, (void) max;
	return size;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		run(argv[i]);
	(void) printf("# %zu inputs\n", count);
	return 0;
}
