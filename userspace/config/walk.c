/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From libyaml's events to the schema's handlers: shapes, unknown and repeated keys, and the
 * parts of YAML that a configuration does not need (aliases, tags, several documents). Knows no
 * key and no value. Goes on after an error, except after one of syntax.
 */
#include <string.h>

#include "base/cleanup.h"
#include "config/schema.h"

#define _cleanup_event_ CLEANUP(yaml_event_delete)

static struct config_mark mark_of(const yaml_mark_t *at)
{
	return (struct config_mark){(unsigned int)at->line + 1, (unsigned int)at->column + 1};
}

/* libyaml counts characters in a line; ours is one if it does not continue a UTF-8 sequence. */
static bool is_tab(const struct config_reader *reader, struct config_mark mark)
{
	unsigned int line = 1, column = 0;

	for (size_t i = 0; i < reader->len && line <= mark.line; i++) {
		unsigned char c = (unsigned char)reader->bytes[i];

		if ((c & 0xc0) != 0x80)
			column++;
		if (line == mark.line && column == mark.column)
			return c == '\t';
		if (c == '\n') {
			line++;
			column = 0;
		}
	}
	return false;
}

static struct config_mark mark_of_offset(const struct config_reader *reader, size_t offset)
{
	struct config_mark mark = {1, 1};

	for (size_t i = 0; i < MIN(offset, reader->len); i++) {
		unsigned char c = (unsigned char)reader->bytes[i];

		if (c == '\n')
			mark = (struct config_mark){mark.line + 1, 1};
		else if ((c & 0xc0) != 0x80)
			mark.column++;
	}
	return mark;
}

static void report_syntax(struct config_reader *reader)
{
	const yaml_parser_t *parser = &reader->parser;
	const char *problem = parser->problem ? parser->problem : "out of memory";
	struct config_mark mark = mark_of(&parser->problem_mark);

	reader->stopped = true;
	if (parser->error == YAML_READER_ERROR)
		mark = mark_of_offset(reader, parser->problem_offset);
	config_report(reader, mark, "not YAML: %s%s%s%s", problem, parser->context ? " " : "",
		      parser->context ? parser->context : "",
		      is_tab(reader, mark) ? "; tabs may not indent, use spaces" : "");
}

static void refuse_tag_and_anchor(struct config_reader *reader, const yaml_event_t *event)
{
	const unsigned char *anchor = NULL, *tag = NULL;

	if (event->type == YAML_SCALAR_EVENT) {
		anchor = event->data.scalar.anchor;
		tag = event->data.scalar.tag;
	} else if (event->type == YAML_SEQUENCE_START_EVENT) {
		anchor = event->data.sequence_start.anchor;
		tag = event->data.sequence_start.tag;
	} else if (event->type == YAML_MAPPING_START_EVENT) {
		anchor = event->data.mapping_start.anchor;
		tag = event->data.mapping_start.tag;
	} else if (event->type == YAML_ALIAS_EVENT) {
		anchor = event->data.alias.anchor;
	}
	if (anchor)
		config_report(reader, mark_of(&event->start_mark),
			      "anchors (&) and aliases (*) are not allowed; write the value out, "
			      "or in quotes if it is meant to begin so");
	if (tag)
		config_report(reader, mark_of(&event->start_mark),
			      "tags (!) are not allowed; write the value in quotes if it is meant "
			      "to begin so");
}

/* False after a syntax error, or after too many others: *ret is then empty. */
static bool next_event(struct config_reader *reader, yaml_event_t *ret)
{
	if (reader->stopped)
		return false;
	if (!yaml_parser_parse(&reader->parser, ret)) {
		memset(ret, 0, sizeof(*ret));
		report_syntax(reader);
		return false;
	}
	refuse_tag_and_anchor(reader, ret);
	return true;
}

/* Reads to the end of the node that the event begins. */
static void skip_node(struct config_reader *reader, const yaml_event_t *first)
{
	yaml_event_type_t type = first->type;
	unsigned int depth = 0;

	for (;;) {
		_cleanup_event_ yaml_event_t event = {0};

		if (type == YAML_SEQUENCE_START_EVENT || type == YAML_MAPPING_START_EVENT)
			depth++;
		if (type == YAML_SEQUENCE_END_EVENT || type == YAML_MAPPING_END_EVENT)
			depth--;
		if (depth == 0 || !next_event(reader, &event))
			return;
		type = event.type;
	}
}

static const char *scalar_text(const yaml_event_t *event)
{
	return (const char *)event->data.scalar.value;
}

static bool is_quoted(const yaml_event_t *event)
{
	return event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
}

/* What YAML reads as null. */
static bool is_nothing(const yaml_event_t *event)
{
	static const char *const nothing[] = {"", "~", "null", "Null", "NULL"};

	if (event->type != YAML_SCALAR_EVENT || is_quoted(event))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(nothing); i++)
		if (strcmp(scalar_text(event), nothing[i]) == 0)
			return true;
	return false;
}

static const char *kind_of(const yaml_event_t *event)
{
	if (event->type == YAML_SEQUENCE_START_EVENT)
		return "a list";
	if (event->type == YAML_MAPPING_START_EVENT)
		return "a mapping of keys to values";
	return is_nothing(event) ? "an empty value" : "a single value";
}

static void refuse_node(struct config_reader *reader, const struct config_key *key,
			const yaml_event_t *event)
{
	bool brackets = event->type == YAML_SEQUENCE_START_EVENT && key->shape != CONFIG_SECTION;

	if (event->type != YAML_ALIAS_EVENT)
		config_report(reader, mark_of(&event->start_mark),
			      "%s: %s is wrong here; allowed: %s%s", key->path, kind_of(event),
			      key->type ? key->type : "keys with values",
			      brackets ? " (an address in [brackets] needs quotes)" : "");
	skip_node(reader, event);
}

/* Text that may stand in a C string and in a log line. Reports what may not. */
static bool is_clean(struct config_reader *reader, const yaml_event_t *event)
{
	const unsigned char *text = event->data.scalar.value;

	for (size_t i = 0; i < event->data.scalar.length; i++) {
		if (text[i] >= 0x20 && text[i] != 0x7f)
			continue;
		config_report(reader, mark_of(&event->start_mark),
			      "control characters and line breaks are not allowed in a value");
		return false;
	}
	return true;
}

/* Hands one scalar, or a name and its scalar, to the key's handler. */
static void take_scalar(struct config_reader *reader, const struct config_key *key,
			const yaml_event_t *name, const yaml_event_t *value)
{
	struct config_item item = {0};

	if (value->type != YAML_SCALAR_EVENT || is_nothing(value)) {
		refuse_node(reader, key, value);
		return;
	}
	if (!is_clean(reader, value) || (name && !is_clean(reader, name)))
		return;
	item.text = scalar_text(value);
	item.quoted = is_quoted(value);
	item.mark = mark_of(&value->start_mark);
	if (name) {
		item.name = scalar_text(name);
		item.name_mark = mark_of(&name->start_mark);
	}
	key->take(reader, key, &item);
}

static void read_list(struct config_reader *reader, const struct config_key *key)
{
	for (;;) {
		_cleanup_event_ yaml_event_t event = {0};

		if (!next_event(reader, &event) || event.type == YAML_SEQUENCE_END_EVENT)
			return;
		take_scalar(reader, key, NULL, &event);
	}
}

/* Behind the start of a mapping. Returns the number of pairs. */
static unsigned int read_pairs(struct config_reader *reader, const struct config_key *key)
{
	for (unsigned int count = 0;; count++) {
		_cleanup_event_ yaml_event_t name = {0};
		_cleanup_event_ yaml_event_t value = {0};

		if (!next_event(reader, &name) || name.type == YAML_MAPPING_END_EVENT)
			return count;
		if (name.type != YAML_SCALAR_EVENT)
			refuse_node(reader, key, &name);
		if (!next_event(reader, &value))
			return count;
		if (name.type == YAML_SCALAR_EVENT)
			take_scalar(reader, key, &name, &value);
		else
			skip_node(reader, &value);
	}
}

static void read_pair_list(struct config_reader *reader, const struct config_key *key)
{
	for (;;) {
		_cleanup_event_ yaml_event_t event = {0};

		if (!next_event(reader, &event) || event.type == YAML_SEQUENCE_END_EVENT)
			return;
		if (event.type != YAML_MAPPING_START_EVENT)
			refuse_node(reader, key, &event);
		else if (read_pairs(reader, key) != 1 && !reader->stopped)
			config_report(reader, mark_of(&event.start_mark),
				      "%s: each entry of the list is one pair; allowed: %s",
				      key->path, key->type);
	}
}

/* The row that a name in a section stands for; reports unknown and repeated names as NULL. */
static const struct config_key *resolve_name(struct config_reader *reader, const char *section,
					     const yaml_event_t *name)
{
	struct config_mark mark = mark_of(&name->start_mark);
	char path[CONFIG_KEY_PATH_MAX];
	int len;

	if (!is_clean(reader, name))
		return NULL;
	len = snprintf(path, sizeof(path), "%s%s%s", section, *section ? "." : "",
		       scalar_text(name));

	const struct config_key *key = config_schema_find(path);

	/* A dot in the name would find a key of a section from outside it. */
	if (!key || len >= (int)sizeof(path) || strchr(scalar_text(name), '.')) {
		config_report_unknown(reader, mark, section, scalar_text(name));
		return NULL;
	}

	struct config_mark *seen = &reader->seen[key - config_schema];

	if (seen->line) {
		config_report(reader, mark, "%s: given twice, first in line %u; allowed: once",
			      key->path, seen->line);
		return NULL;
	}
	*seen = mark;
	return key;
}

static void read_section(struct config_reader *reader, const char *section);

static void read_value(struct config_reader *reader, const struct config_key *key,
		       const yaml_event_t *event)
{
	bool mapping = event->type == YAML_MAPPING_START_EVENT;
	bool list = event->type == YAML_SEQUENCE_START_EVENT;

	if (key->shape == CONFIG_SECTION && mapping)
		read_section(reader, key->path);
	else if (key->shape == CONFIG_SECTION && is_nothing(event))
		; /* all its keys are commented out */
	else if (key->shape == CONFIG_VALUE)
		take_scalar(reader, key, NULL, event);
	else if (key->shape == CONFIG_LIST && list)
		read_list(reader, key);
	else if (key->shape == CONFIG_PAIR_LIST && list)
		read_pair_list(reader, key);
	else if (key->shape == CONFIG_PAIRS && mapping)
		read_pairs(reader, key);
	else
		refuse_node(reader, key, event);
}

/* Behind the start of a section's mapping. Sections stand in sections as deep as the schema. */
static void read_section(struct config_reader *reader, const char *section)
{
	for (;;) {
		_cleanup_event_ yaml_event_t name = {0};
		_cleanup_event_ yaml_event_t value = {0};
		const struct config_key *key = NULL;

		if (!next_event(reader, &name) || name.type == YAML_MAPPING_END_EVENT)
			return;
		if (name.type == YAML_SCALAR_EVENT) {
			key = resolve_name(reader, section, &name);
		} else {
			config_report(reader, mark_of(&name.start_mark),
				      "a key is plain text, not a list or mapping");
			skip_node(reader, &name);
		}
		if (!next_event(reader, &value))
			return;
		if (key)
			read_value(reader, key, &value);
		else
			skip_node(reader, &value);
	}
}

static void read_document(struct config_reader *reader, const yaml_event_t *top)
{
	reader->top = mark_of(&top->start_mark);
	if (top->type == YAML_MAPPING_START_EVENT) {
		read_section(reader, "");
		return;
	}
	config_report(reader, reader->top,
		      "the file holds %s; allowed: keys with values, such as realm: example.org",
		      kind_of(top));
	skip_node(reader, top);
	reader->stopped = true;
}

static void read_stream(struct config_reader *reader)
{
	unsigned int documents = 0;

	for (;;) {
		_cleanup_event_ yaml_event_t event = {0};
		_cleanup_event_ yaml_event_t top = {0};

		if (!next_event(reader, &event) || event.type == YAML_STREAM_END_EVENT)
			break;
		if (event.type != YAML_DOCUMENT_START_EVENT)
			continue;
		if (++documents > 1) {
			config_report(reader, mark_of(&event.start_mark),
				      "a second document begins; allowed: one in a file");
			break;
		}
		if (next_event(reader, &top))
			read_document(reader, &top);
	}
	if (documents == 0 && !reader->stopped) {
		config_report(reader, (struct config_mark){1, 1},
			      "the file is empty; needed are at least realm and auth.users");
		reader->stopped = true;
	}
}

void config_walk(struct config_reader *reader)
{
	if (!yaml_parser_initialize(&reader->parser)) {
		config_report(reader, (struct config_mark){1, 1}, "out of memory");
		reader->stopped = true;
		return;
	}
	yaml_parser_set_input_string(&reader->parser, (const unsigned char *)reader->bytes,
				     reader->len);
	read_stream(reader);
	yaml_parser_delete(&reader->parser);
}
