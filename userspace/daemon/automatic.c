/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A relay without a configuration file. See automatic.h.
 */
#include "daemon/automatic.h"

#include <errno.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/macros.h"

#define USER	     "turnpike"
#define PASSWORD_LEN 24

/* Characters that survive shells, URLs and JSON. 64 of them, so that each byte is fair. */
static int make_password(char ret[static PASSWORD_LEN + 1])
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	uint8_t random[PASSWORD_LEN];

	if (RAND_bytes(random, sizeof(random)) != 1)
		return -EIO;
	for (size_t i = 0; i < PASSWORD_LEN; i++)
		ret[i] = alphabet[random[i] % 64];
	ret[PASSWORD_LEN] = '\0';
	explicit_bzero(random, sizeof(random));
	return 0;
}

/* Without privilege /run is not ours; the user's own runtime folder is. */
static void choose_socket(struct config *config)
{
	const char *folder = getenv("XDG_RUNTIME_DIR");

	if (geteuid() == 0)
		return;
	snprintf(config->control.socket, sizeof(config->control.socket), "%s/turnpike-%u.sock",
		 folder ? folder : "/tmp", (unsigned int)geteuid());
}

int automatic_configure(struct config *config)
{
	char password[PASSWORD_LEN + 1];
	int err = make_password(password);

	if (err < 0)
		return err;
	config->realm = strdup("turnpike");
	config->auth.users = calloc(1, sizeof(*config->auth.users));
	if (!config->realm || !config->auth.users)
		return -ENOMEM;
	config->auth.user_count = 1;
	config->auth.users[0].name = strdup(USER);
	config->auth.users[0].password = strdup(password);
	explicit_bzero(password, sizeof(password));
	choose_socket(config);
	return config->auth.users[0].name && config->auth.users[0].password ? 0 : -ENOMEM;
}

/* The socket and the pins are root's: whoever became root by sudo needs it again. */
static const char *sudo_prefix(void)
{
	return geteuid() == 0 && getenv("SUDO_USER") ? "sudo " : "";
}

/* Without a kernel path nothing is pinned. */
static bool has_pins(const struct config *config)
{
	char path[CONFIG_PATH_MAX + sizeof("/stats")];

	snprintf(path, sizeof(path), "%s/stats", config->kernel.pin_path);
	return access(path, F_OK) == 0;
}

void automatic_print(const struct config *config, const struct plan *plan, const char *program,
		     FILE *out)
{
	const char *slash = strrchr(program, '/');
	int folder = slash ? (int)(slash + 1 - program) : 0;
	const char *sudo = sudo_prefix();
	const char *socket = config->control.socket;

	fprintf(out, "\nPaste this into your WebRTC application:\n\n  iceServers: [{\n    urls: [");
	for (size_t i = 0; i < plan->listen_count; i++)
		fprintf(out, "%s\"turn:%s?transport=udp\"", i ? ",\n           " : "",
			ADDR_TEXT(&plan->listen[i]));
	fprintf(out, "],\n    username: \"%s\",\n    credential: \"%s\"\n  }]\n",
		config->auth.users[0].name, config->auth.users[0].password);
	fprintf(out,
		"\nLook at it from another terminal:\n\n"
		"  %s%.*sturnpikectl --socket %s status\n"
		"  %s%.*sturnpikectl --socket %s allocations\n",
		sudo, folder, program, socket, sudo, folder, program, socket);
	if (has_pins(config))
		fprintf(out, "  %sbpftool map dump pinned %s/stats\n", sudo,
			config->kernel.pin_path);
	fprintf(out, "\nCtrl-C ends it and leaves nothing behind.\n\n");
	fflush(out);
}
