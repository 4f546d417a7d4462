/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whole files: the examples in configs/, the printed schema, and files that cannot be read. Runs
 * at the top of the source tree.
 */
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

/* The whole of a file as a string to free. */
static char *load(const char *path)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	char *text = calloc(1, 1 << 16);

	if (!f)
		fail_msg("%s: %s", path, strerror(errno));
	assert_true(fread(text, 1, (1 << 16) - 1, f) > 0);
	return text;
}

static void example_files_are_good(void **state)
{
	static const char *const paths[] = {"configs/default.yaml", "configs/minimal.yaml"};
	struct config c;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		config_init(&c);
		assert_int_equal(config_read(paths[i], stderr, &c), 0);
		assert_string_equal(c.realm, "example.org");
		config_free(&c);
	}
}

/* Takes the # away from lines such as "  #mode: auto" and "#  - udp: …"; prose has "# Text". */
static char *uncomment(const char *text)
{
	char *copy = calloc(1, strlen(text) + 1), *to = copy;

	while (*text) {
		size_t line = strcspn(text, "\n") + 1, indent = strspn(text, " ");
		const char *hash = text + indent;
		bool value = *hash == '#' && (hash[1] != ' ' || hash[2] == ' ');

		memcpy(to, text, indent);
		to += indent;
		memcpy(to, hash + value, line - indent - value);
		to += line - indent - value;
		text += line;
	}
	return copy;
}

static void commented_values_of_the_default_file_are_the_defaults(void **state)
{
	_cleanup_free_ char *text = load("configs/default.yaml");
	_cleanup_free_ char *yaml = uncomment(text);
	_cleanup_close_ int fd = memfd_create("tp-config", MFD_CLOEXEC);
	struct config c, d;
	char path[32];

	(void)state;
	assert_int_equal(write(fd, yaml, strlen(yaml)), (ssize_t)strlen(yaml));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	config_init(&c);
	config_init(&d);
	assert_int_equal(config_read(path, stderr, &c), 0);

	/* These four cannot show their default, which is the host's; they show an example. */
	assert_int_equal(c.listen_count, 2);
	assert_int_equal(c.relay.address_count, 2);
	assert_int_equal(c.relay.external_count, 1);
	assert_int_equal(c.kernel.interface_count, 1);

	assert_int_equal(c.relay.port_first, d.relay.port_first);
	assert_int_equal(c.relay.port_last, d.relay.port_last);
	assert_int_equal(c.auth.nonce_lifetime_s, d.auth.nonce_lifetime_s);
	assert_int_equal(c.peers.allow_count, 0);
	assert_int_equal(c.peers.deny_count, 0);
	assert_memory_equal(&c.limits, &d.limits, sizeof(d.limits));
	assert_int_equal(c.kernel.mode, d.kernel.mode);
	assert_string_equal(c.kernel.pin_path, d.kernel.pin_path);
	assert_string_equal(c.control.socket, d.control.socket);
	assert_memory_equal(&c.log, &d.log, sizeof(d.log));
	assert_int_equal(c.workers, d.workers);
	config_free(&c);
}

static void every_key_of_the_schema_is_documented(void **state)
{
	_cleanup_free_ char *yaml = load("configs/default.yaml");
	_cleanup_free_ char *manual = load("userspace/config/turnpiked.yaml.5");
	_cleanup_free_ char *schema = NULL;
	size_t len = 0, keys = 0;
	FILE *f = open_memstream(&schema, &len);

	(void)state;
	config_print_schema(f);
	fclose(f);
	for (char *line = strtok(schema, "\n"); line; line = strtok(NULL, "\n"), keys++) {
		char key[64], name[72], entry[80];

		assert_int_equal(sscanf(line, "%63s", key), 1);
		assert_non_null(strstr(line, "(default: "));
		snprintf(name, sizeof(name),
			 "%s:", strrchr(key, '.') ? strrchr(key, '.') + 1 : key);
		if (!strstr(yaml, name))
			fail_msg("configs/default.yaml lacks %s", key);
		snprintf(entry, sizeof(entry), ".It Cm %s\n", key);
		if (!strstr(manual, entry))
			fail_msg("turnpiked.yaml.5 lacks %s", key);
	}
	assert_int_equal(keys, 21);
}

static void expect_line(const char *path, const char *expected)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	FILE *errors = open_memstream(&text, &len);
	struct config c;

	config_init(&c);
	assert_int_equal(config_read(path, errors, &c), -EINVAL);
	config_free(&c);
	fclose(errors);
	assert_string_equal(text, expected);
}

static void files_that_cannot_be_read_say_why(void **state)
{
	(void)state;
	expect_line("/nonexistent/turnpiked.yaml",
		    "/nonexistent/turnpiked.yaml: cannot be read: No such file or directory\n");
	expect_line("configs", "configs: cannot be read: Is a directory\n");
}

static void a_file_of_one_mebibyte_is_read_and_a_larger_one_is_not(void **state)
{
	_cleanup_close_ int fd = memfd_create("tp-config", MFD_CLOEXEC);
	static const char start[] = "realm: r\nauth: {users: {a: b}}\n#";
	_cleanup_free_ char *text = malloc(CONFIG_FILE_MAX + 1);
	char path[32], expected[96];
	struct config c;

	(void)state;
	memset(text, 'x', CONFIG_FILE_MAX + 1);
	memcpy(text, start, sizeof(start) - 1);
	assert_int_equal(write(fd, text, CONFIG_FILE_MAX), CONFIG_FILE_MAX);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	config_init(&c);
	assert_int_equal(config_read(path, stderr, &c), 0);
	config_free(&c);

	assert_int_equal(write(fd, "x", 1), 1);
	snprintf(expected, sizeof(expected),
		 "%s: larger than 1048576 bytes, which no configuration is\n", path);
	expect_line(path, expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(example_files_are_good),
		cmocka_unit_test(commented_values_of_the_default_file_are_the_defaults),
		cmocka_unit_test(every_key_of_the_schema_is_documented),
		cmocka_unit_test(files_that_cannot_be_read_say_why),
		cmocka_unit_test(a_file_of_one_mebibyte_is_read_and_a_larger_one_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
