#include <string.h>

#include "host.h"
#include "name.h"

/* A line of passwd(5) or group(5): the id is in the same place. */
enum { ACCOUNT_NAME = 0, ACCOUNT_ID = 2, ACCOUNT_HOME = 5, ACCOUNT_SHELL = 6, ACCOUNT_FIELDS = 7 };

struct account {
	char *line;                    /* without its end, cut into the fields; NULL where the file lacks the name, or cannot be read */
	bool is_missing;               /* the file lacks the name */
	char *fields[ACCOUNT_FIELDS];  /* what the line lacks is empty */
};

static void account_done(struct account *account)
{
	free(account->line);
}

static void cut(char *line, char *ret_fields[ACCOUNT_FIELDS])
{
	char *rest = line;

	line[strcspn(line, "\n")] = '\0';
	for (size_t i = 0; i < ACCOUNT_FIELDS; i++) {
		ret_fields[i] = rest;
		rest += strcspn(rest, ":");
		if (*rest)
			*rest++ = '\0';
	}
}

/* Reads the file itself: a name service would load plugins and might wait for the network. */
static struct account read_account(const char *path, const char *name)
{
	cleanup_fclose FILE *file = fopen(path, "re");
	struct account account = { .is_missing = file != NULL };
	size_t size = 0;

	while (account.is_missing && getline(&account.line, &size, file) > 0) {
		cut(account.line, account.fields);
		account.is_missing = strcmp(account.fields[ACCOUNT_NAME], name) != 0;
	}
	if (account.is_missing)
		freep(&account.line);
	return account;
}

/* Units are given the name, and all else is done with the id. A name that is missing may be a name service's. */
static void check_id(const struct account *account, const char *path, const char *key, const char *name, const char *id,
		     const char *status, struct report *report)
{
	if (account->is_missing)
		report_warning(report, path, "does not have '%s' ([host] %s): unless a name service has it, no unit starts (%s)",
			       name, key, status);
	else if (account->line && strtoul(account->fields[ACCOUNT_ID], NULL, 10) != strtoul(id, NULL, 10))
		report_problem(report, path, "has %s as the id of '%s' ([host] %s), not %s: the files of what runs are another's; set "
			       "[host] %cid = %s", account->fields[ACCOUNT_ID], name, key, id, *key, account->fields[ACCOUNT_ID]);
}

/* The shells of accounts that nobody logs in to. */
static bool is_no_shell(const char *shell)
{
	const char *slash = strrchr(shell, '/'), *name = slash ? slash + 1 : shell;

	return strcmp(name, "nologin") == 0 || strcmp(name, "false") == 0;
}

/* Both are warnings: who uses an account of his own has reasons, and the home can only be changed while nothing runs. */
static void check_login(const struct account *account, const struct config *config, struct report *report)
{
	const char *user = config->host.user, *shell = account->fields[ACCOUNT_SHELL];

	if (!is_no_shell(shell))
		report_warning(report, user, "has the login shell %s, but user@%s.service is masked: who logs in as %s has no "
			       "user manager; give [host] user an account of its own", *shell ? shell : "/bin/sh",
			       config->host.uid, user);
	if (path_below(account->fields[ACCOUNT_HOME], config->host.root))
		report_warning(report, user, "has its home in %s, where the web application can leave keys for sshd; once "
			       "nothing of it runs: usermod --home /nonexistent %s", config->host.root, user);
}

void host_check_account(const struct config *config, struct report *report)
{
	static const char passwd[] = "/etc/passwd", groups[] = "/etc/group";
	cleanup(account_done) struct account user = read_account(passwd, config->host.user);
	cleanup(account_done) struct account group = read_account(groups, config->host.group);

	check_id(&user, passwd, "user", config->host.user, config->host.uid, "217/USER", report);
	if (user.line)
		check_login(&user, config, report);
	check_id(&group, groups, "group", config->host.group, config->host.gid, "216/GROUP", report);
}
