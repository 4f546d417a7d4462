/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside config/ only: the schema table's rows, and the reader as the rows' handlers see it.
 */
#ifndef TURNPIKE_CONFIG_SCHEMA_H
#define TURNPIKE_CONFIG_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>

#include <yaml.h>

#include "base/macros.h"
#include "config/config.h"

#define CONFIG_KEYS_MAX	     64
#define CONFIG_ERRORS_MAX    50
#define CONFIG_KEY_PATH_MAX  80
#define CONFIG_REALM_LEN_MAX 127 /* RFC 8489 14.9 allows 763; strangers get ours back */
#define CONFIG_USER_LEN_MAX  508 /* RFC 8489 14.3 */
#define CONFIG_PASSWORD_MAX  512

/* One scalar, or one pair of scalars of a mapping with free names. Borrowed from the parser. */
struct config_item {
	const char *name; /* of a pair, else NULL */
	struct config_mark name_mark;
	const char *text;
	bool quoted;
	struct config_mark mark;
};

struct config_reader {
	const char *path;
	FILE *errors;
	struct config *config;
	unsigned int error_count;
	bool stopped; /* a syntax error, or too many errors: nothing more can be read */
	yaml_parser_t parser;
	const char *bytes;
	size_t len;
	struct config_mark top;
	/* Where each key of the schema stood; line 0 if it did not. */
	struct config_mark seen[CONFIG_KEYS_MAX];
};

enum config_shape {
	CONFIG_SECTION,	  /* keys that the schema knows */
	CONFIG_VALUE,	  /* one scalar */
	CONFIG_LIST,	  /* a list of scalars */
	CONFIG_PAIRS,	  /* names of the user's choice with a scalar each */
	CONFIG_PAIR_LIST, /* a list of single pairs */
};

struct config_key {
	const char *path; /* "relay.ports" */
	enum config_shape shape;
	/* Called for each scalar or pair of the right type; reports what it does not take. */
	void (*take)(struct config_reader *reader, const struct config_key *key,
		     const struct config_item *item);
	size_t offset, size; /* in struct config, for handlers that serve several keys */
	uint32_t min, max;
	const char *const *names; /* of an enum, by value; NULL at the end */
	const char *type, *initial, *meaning;
};

extern const struct config_key config_schema[];
extern const size_t config_schema_count;

/* The row of a path, or NULL. */
const struct config_key *config_schema_find(const char *path);
/* Where the file has the key; line 0 if it has not. */
struct config_mark config_seen(const struct config_reader *reader, const char *path);

/* Prints "FILE:LINE:COLUMN: …" and counts it. */
void config_report(struct config_reader *reader, struct config_mark mark, const char *format, ...)
	PRINTF_LIKE(3, 4);
/* Reports a name that the section ("" is the top) does not have: nearest name, allowed names. */
void config_report_unknown(struct config_reader *reader, struct config_mark mark,
			   const char *section, const char *name);

/* Walks the document in the reader's bytes. */
void config_walk(struct config_reader *reader);
/* What can be said only when all keys are read. */
void config_check(struct config_reader *reader);

/* Handlers of one value. */
void config_take_number(struct config_reader *reader, const struct config_key *key,
			const struct config_item *item);
void config_take_name(struct config_reader *reader, const struct config_key *key,
		      const struct config_item *item);
void config_take_realm(struct config_reader *reader, const struct config_key *key,
		       const struct config_item *item);
void config_take_path(struct config_reader *reader, const struct config_key *key,
		      const struct config_item *item);
void config_take_rate(struct config_reader *reader, const struct config_key *key,
		      const struct config_item *item);
void config_take_ports(struct config_reader *reader, const struct config_key *key,
		       const struct config_item *item);

/* Handlers that add an entry. */
void config_take_listener(struct config_reader *reader, const struct config_key *key,
			  const struct config_item *item);
void config_take_address(struct config_reader *reader, const struct config_key *key,
			 const struct config_item *item);
void config_take_external(struct config_reader *reader, const struct config_key *key,
			  const struct config_item *item);
void config_take_user(struct config_reader *reader, const struct config_key *key,
		      const struct config_item *item);
void config_take_allow(struct config_reader *reader, const struct config_key *key,
		       const struct config_item *item);
void config_take_deny(struct config_reader *reader, const struct config_key *key,
		      const struct config_item *item);
void config_take_interface(struct config_reader *reader, const struct config_key *key,
			   const struct config_item *item);

#endif
