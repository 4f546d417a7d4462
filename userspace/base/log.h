/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Log lines for operators: "module: what happened key=value …" in lower case, one line, to
 * stderr, as text or as JSON. base, wire, auth and turn never log; the others log once, where the
 * error is handled.
 */
#ifndef TURNPIKE_BASE_LOG_H
#define TURNPIKE_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"

/* The order is the severity. X(constant, name in configuration and output, syslog priority). */
#define LOG_LEVELS(X)            \
	X(ERROR, "error", 3)     \
	X(WARNING, "warning", 4) \
	X(NOTICE, "notice", 5)   \
	X(INFO, "info", 6)       \
	X(DEBUG, "debug", 7)

enum log_level {
#define X(constant, name, priority) LOG_LEVEL_##constant,
	LOG_LEVELS(X)
#undef X
	LOG_LEVEL_MAX,
};

enum log_format {
	LOG_FORMAT_TEXT,
	LOG_FORMAT_JSON,
	LOG_FORMAT_MAX,
};

void log_configure(enum log_level level, enum log_format format);
bool log_enabled(enum log_level level);
const char *log_level_name(enum log_level level);
/* Returns the level or -EINVAL. */
int log_level_parse(const char *name);

void log_write(enum log_level level, const char *format, ...) PRINTF_LIKE(2, 3);

#define log_error(...)	 log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...)	 log_write(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...)	 log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)                                           \
	do {                                                     \
		if (log_enabled(LOG_LEVEL_DEBUG))                \
			log_write(LOG_LEVEL_DEBUG, __VA_ARGS__); \
	} while (0)

/*
 * A budget for lines that a stranger can cause: at most `burst` at once, one more each
 * `interval_ms`. Zero-initialised apart from those two. Not shared between threads.
 */
struct log_limit {
	uint32_t interval_ms;
	uint32_t burst;
	uint64_t last_ns;
	uint32_t used;
	uint64_t suppressed;
};

/*
 * True if a line may be written now; *ret_suppressed is then how many were not since the last
 * one. now_ns is any monotonic clock.
 */
bool log_limit_allow(struct log_limit *limit, uint64_t now_ns, uint64_t *ret_suppressed);

#endif
