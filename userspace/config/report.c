/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Errors for people: where, what is wrong, what is allowed. Never prints a password: handlers of
 * secrets do not hand their text here.
 */
#include <stdarg.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/schema.h"

#define NAME_MAX_BYTES 40

/* Bytes of the character that begins with this one. */
static size_t character_len(unsigned char first)
{
	if (first < 0xc0)
		return 1;
	return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

/* Whatever was read is UTF-8, but a value that is quoted up to some byte may end too early. */
static void drop_cut_characters(char *text)
{
	char *out = text;

	for (const char *in = text; *in;) {
		size_t len = character_len((unsigned char)*in), have = 1;

		while (have < len && ((unsigned char)in[have] & 0xc0) == 0x80)
			have++;
		if (have == len) {
			memmove(out, in, len);
			out += len;
		}
		in += have;
	}
	*out = '\0';
}

void config_report(struct config_reader *reader, struct config_mark mark, const char *format, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list args;
	int len;

	if (reader->error_count >= CONFIG_ERRORS_MAX)
		return;
	va_start(args, format);
	len = vasprintf(&text, format, args);
	va_end(args);
	if (len < 0)
		text = NULL;
	else
		drop_cut_characters(text);
	fprintf(reader->errors, "%s:%u:%u: %s\n", reader->path, mark.line, mark.column,
		text ? text : "out of memory");
	if (++reader->error_count == CONFIG_ERRORS_MAX) {
		fprintf(reader->errors, "%s: %d errors, not reading on\n", reader->path,
			CONFIG_ERRORS_MAX);
		reader->stopped = true;
	}
}

/* The number of insertions, deletions and changes that make one name of the other. */
static size_t edit_distance(const char *a, const char *b)
{
	size_t row[NAME_MAX_BYTES + 1];
	size_t b_len = strlen(b);

	if (strlen(a) > NAME_MAX_BYTES || b_len > NAME_MAX_BYTES)
		return NAME_MAX_BYTES;
	for (size_t j = 0; j <= b_len; j++)
		row[j] = j;
	for (size_t i = 0; a[i]; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < b_len; j++) {
			size_t change = diagonal + (a[i] != b[j]);

			diagonal = row[j + 1];
			row[j + 1] = MIN(change, MIN(row[j], row[j + 1]) + 1);
		}
	}
	return row[b_len];
}

/* The name of a key inside the section, or NULL if it is not directly there. */
static const char *name_in_section(const struct config_key *key, const char *section)
{
	size_t len = strlen(section);
	const char *name = key->path;

	if (len) {
		if (strncmp(key->path, section, len) != 0 || key->path[len] != '.')
			return NULL;
		name += len + 1;
	}
	return strchr(name, '.') ? NULL : name;
}

/* What the name was probably meant to be: the nearest here, or the same name elsewhere. */
static const struct config_key *guess(const char *section, const char *name)
{
	size_t best = MIN(strlen(name) / 2, 3) + 1;
	const struct config_key *ret = NULL;

	for (size_t i = 0; i < config_schema_count; i++) {
		const char *there = name_in_section(&config_schema[i], section);
		size_t distance = there ? edit_distance(name, there) : best;

		if (distance < best) {
			best = distance;
			ret = &config_schema[i];
		}
	}
	for (size_t i = 0; !ret && i < config_schema_count; i++) {
		const char *dot = strrchr(config_schema[i].path, '.');

		if (dot && strcmp(dot + 1, name) == 0)
			ret = &config_schema[i];
	}
	return ret;
}

void config_report_unknown(struct config_reader *reader, struct config_mark mark,
			   const char *section, const char *name)
{
	const struct config_key *meant = guess(section, name);
	char allowed[512] = "";
	size_t used = 0;

	for (size_t i = 0; i < config_schema_count; i++) {
		const char *there = name_in_section(&config_schema[i], section);

		if (there && used < sizeof(allowed))
			used += (size_t)snprintf(allowed + used, sizeof(allowed) - used, "%s%s",
						 used ? ", " : "", there);
	}
	config_report(reader, mark, "unknown key \"%s%s%.60s\"%s%s%s; allowed here: %s", section,
		      *section ? "." : "", name, meant ? ", did you mean \"" : "",
		      meant ? meant->path : "", meant ? "\"?" : "", allowed);
}
