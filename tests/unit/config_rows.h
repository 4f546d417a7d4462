/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rows of a configuration with mistakes and all that is reported of them.
 */
#ifndef TURNPIKE_TESTS_CONFIG_ROWS_H
#define TURNPIKE_TESTS_CONFIG_ROWS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "base/macros.h"
#include "config/config.h"

/* Lines 1 and 2 of most rows. */
#define GOOD "realm: r\nauth: {users: {a: b}}\n"

/* Reads a file of len bytes. The errors come back without the file's name in front. */
static inline int read_bytes(const char *yaml, size_t len, char *ret_errors, size_t size)
{
	_cleanup_close_ int fd = memfd_create("tp-config", MFD_CLOEXEC);
	_cleanup_free_ char *text = NULL;
	size_t text_len = 0;
	struct config c;
	char path[32];

	assert_true(fd >= 0);
	assert_int_equal(write(fd, yaml, len), (ssize_t)len);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);

	FILE *errors = open_memstream(&text, &text_len);

	config_init(&c);
	int err = config_read(path, errors, &c);

	config_free(&c);
	fclose(errors);
	ret_errors[0] = '\0';
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		size_t used = strlen(ret_errors);

		if (strncmp(line, path, strlen(path)) != 0 || line[strlen(path)] != ':')
			fail_msg("a line that does not begin with the file: %s", line);
		snprintf(ret_errors + used, size - used, "%s\n", line + strlen(path) + 1);
	}
	return err;
}

struct row {
	const char *yaml;
	const char *errors; /* all of them */
};

static inline void check_rows(const struct row *rows, size_t count)
{
	char errors[8192];

	for (size_t i = 0; i < count; i++) {
		int err = read_bytes(rows[i].yaml, strlen(rows[i].yaml), errors, sizeof(errors));

		if (err != -EINVAL || strcmp(errors, rows[i].errors) != 0)
			fail_msg("returned %d for:\n%sexpected:\n%sgot:\n%s", err, rows[i].yaml,
				 rows[i].errors, errors);
	}
}

#endif
