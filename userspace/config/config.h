/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The configuration: plain data, read from YAML by a schema table. Every key has a default but
 * realm and auth.users. Knows nothing of what the values are used for.
 */
#ifndef TURNPIKE_CONFIG_CONFIG_H
#define TURNPIKE_CONFIG_CONFIG_H

#include <net/if.h>
#include <stdint.h>
#include <stdio.h>

#include "base/addr.h"
#include "base/log.h"

#define CONFIG_LISTEN_MAX     16
#define CONFIG_RELAY_MAX      16
#define CONFIG_INTERFACES_MAX 16
#define CONFIG_WORKERS_MAX    64
#define CONFIG_PATH_MAX	      96 /* a Unix socket's path has 107 */
#define CONFIG_USERS_MAX      10000
#define CONFIG_PREFIXES_MAX   1024 /* of peers.allow and of peers.deny */
#define CONFIG_FILE_MAX	      (1 << 20)

enum config_transport {
	CONFIG_UDP,
};

/* Where in the file a value stands, for errors found later (an address no interface has). */
struct config_mark {
	unsigned int line, column; /* from 1; 0 for a default */
};

struct config_listener {
	enum config_transport transport;
	struct addr addr;
	struct config_mark mark;
};

struct config_address {
	struct addr addr; /* port 0 */
	struct config_mark mark;
};

struct config_external {
	struct addr internal, external; /* one family, port 0 */
	struct config_mark mark, external_mark;
};

struct config_user {
	char *name, *password;
};

struct config_prefix {
	struct prefix prefix;
	struct config_mark mark;
};

/* Names in YAML: off, generic, native, auto. */
enum config_kernel_mode {
	CONFIG_KERNEL_OFF,
	CONFIG_KERNEL_GENERIC,
	CONFIG_KERNEL_NATIVE,
	CONFIG_KERNEL_AUTO,
};

struct config {
	char *realm;
	struct config_listener listen[CONFIG_LISTEN_MAX];
	size_t listen_count; /* 0: port 3478 on every global address of the host */
	struct {
		struct config_address addresses[CONFIG_RELAY_MAX];
		size_t address_count; /* 0: the listeners' addresses */
		struct config_external external[CONFIG_RELAY_MAX];
		size_t external_count;
		uint16_t port_first, port_last; /* 49152-65535 */
	} relay;
	struct {
		struct config_user *users;
		size_t user_count;
		uint32_t nonce_lifetime_s; /* 3600; 60 to 86400 */
	} auth;
	struct {
		struct config_prefix *allow, *deny;
		size_t allow_count, deny_count;
	} peers;
	struct {
		uint32_t allocations;		     /* 100000 */
		uint32_t allocations_per_user;	     /* 100; 0 is unlimited */
		uint32_t permissions_per_allocation; /* 64; 1 to 1024 */
		uint32_t channels_per_allocation;    /* 64; 1 to 1024 */
		uint64_t bandwidth_per_allocation; /* bits/s each way; 0, the default, is unlimited
						    */
	} limits;
	struct {
		enum config_kernel_mode mode; /* auto */
		struct {
			char name[IF_NAMESIZE];
			struct config_mark mark;
		} interfaces[CONFIG_INTERFACES_MAX];
		size_t interface_count; /* 0: those that carry the addresses, and the route out */
		char pin_path[CONFIG_PATH_MAX]; /* /sys/fs/bpf/turnpike */
	} kernel;
	struct {
		char socket[CONFIG_PATH_MAX]; /* /run/turnpike/control.sock */
	} control;
	struct {
		enum log_level level;	/* info */
		enum log_format format; /* text */
	} log;
	uint32_t workers; /* 0: one per CPU the process may use; at most CONFIG_WORKERS_MAX */
};

/* Fills in the defaults. Nothing in *ret needs freeing before this. */
void config_init(struct config *ret);
/* Frees what the config points to, passwords wiped, and leaves defaults. */
void config_free(struct config *config);

/*
 * Reads a file into an initialised config. Each error is a line on errors:
 * "FILE:LINE:COLUMN: what is wrong, what is allowed". It goes on after an error, to report all.
 * Returns 0, or -EINVAL after errors were printed (an unreadable file is one: FILE: reason). The
 * config then holds what was right so far and is only good for config_free.
 */
int config_read(const char *path, FILE *errors, struct config *config);

/* A line per key: its path, what it takes, its default, what it means. */
void config_print_schema(FILE *out);

#endif
