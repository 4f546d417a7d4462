/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of a configuration: defaults, reading a file as a whole, freeing.
 */
#include "config/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/schema.h"

void config_init(struct config *ret)
{
	*ret = (struct config){
		.relay = {.port_first = 49152, .port_last = 65535},
		.auth = {.nonce_lifetime_s = 3600},
		.limits =
			{
				.allocations = 100000,
				.allocations_per_user = 100,
				.permissions_per_allocation = 64,
				.channels_per_allocation = 64,
			},
		.kernel = {.mode = CONFIG_KERNEL_AUTO, .pin_path = "/sys/fs/bpf/turnpike"},
		.control = {.socket = "/run/turnpike/control.sock"},
		.log = {.level = LOG_LEVEL_INFO, .format = LOG_FORMAT_TEXT},
	};
}

void config_free(struct config *config)
{
	for (size_t i = 0; i < config->auth.user_count; i++) {
		struct config_user *user = &config->auth.users[i];

		explicit_bzero(user->password, strlen(user->password));
		free(user->password);
		free(user->name);
	}
	free(config->auth.users);
	free(config->peers.allow);
	free(config->peers.deny);
	free(config->realm);
	config_init(config);
}

/* Reads all of fd; one byte more than a file may have, so that a larger one is noticed. */
static int read_all(int fd, char *buffer, size_t size, size_t *ret_len)
{
	size_t len = 0;

	while (len < size) {
		ssize_t n = read(fd, buffer + len, size - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	*ret_len = len;
	return 0;
}

static int load_file(const char *path, FILE *errors, char *buffer, size_t *ret_len)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	int err = fd < 0 ? -errno : read_all(fd, buffer, CONFIG_FILE_MAX + 1, ret_len);

	if (err < 0) {
		fprintf(errors, "%s: cannot be read: %s\n", path, strerror(-err));
		return err;
	}
	if (*ret_len > CONFIG_FILE_MAX) {
		fprintf(errors, "%s: larger than %d bytes, which no configuration is\n", path,
			CONFIG_FILE_MAX);
		return -EFBIG;
	}
	return 0;
}

int config_read(const char *path, FILE *errors, struct config *config)
{
	_cleanup_free_ char *buffer = malloc(CONFIG_FILE_MAX + 1);
	struct config_reader reader = {.path = path, .errors = errors, .config = config};

	if (!buffer) {
		fprintf(errors, "%s: out of memory\n", path);
		return -EINVAL;
	}
	if (load_file(path, errors, buffer, &reader.len) < 0)
		return -EINVAL;
	reader.bytes = buffer;
	config_walk(&reader);
	if (!reader.stopped)
		config_check(&reader);
	explicit_bzero(buffer, reader.len);
	return reader.error_count ? -EINVAL : 0;
}
