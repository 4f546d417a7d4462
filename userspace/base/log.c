/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The logger: the only mutable file-scope state of the project besides signal flags. Each line
 * is one write(2), so that lines of several workers do not mix.
 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 2048

static enum log_level log_threshold = LOG_LEVEL_INFO;
static enum log_format log_style = LOG_FORMAT_TEXT;

static const struct {
	const char *name;
	int priority;
} levels[LOG_LEVEL_MAX] = {
#define X(constant, name, priority) {name, priority},
	LOG_LEVELS(X)
#undef X
};

void log_configure(enum log_level level, enum log_format format)
{
	log_threshold = level;
	log_style = format;
}

bool log_enabled(enum log_level level)
{
	return level <= log_threshold;
}

const char *log_level_name(enum log_level level)
{
	return levels[level].name;
}

int log_level_parse(const char *name)
{
	for (int i = 0; i < LOG_LEVEL_MAX; i++)
		if (strcmp(name, levels[i].name) == 0)
			return i;
	return -EINVAL;
}

/* Escapes text into a JSON string body. Cuts it where ret is full. */
static void escape_json(const char *text, char *ret, size_t size)
{
	size_t used = 0;

	for (; *text && used + 7 < size; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			used += (size_t)snprintf(ret + used, size - used, "\\%c", c);
		else if (c < 0x20)
			used += (size_t)snprintf(ret + used, size - used, "\\u%04x", c);
		else
			ret[used++] = (char)c;
	}
	ret[used] = '\0';
}

/* A newline inside a message would let a stranger forge a line. */
static void strip_control(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
}

void log_write(enum log_level level, const char *format, ...)
{
	char message[LINE_MAX_BYTES];
	char escaped[LINE_MAX_BYTES];
	char line[LINE_MAX_BYTES + 128];
	struct timespec now;
	struct tm utc;
	char stamp[32];
	va_list args;
	int len;

	if (!log_enabled(level))
		return;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	strip_control(message);

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &utc);
	if (log_style == LOG_FORMAT_JSON) {
		escape_json(message, escaped, sizeof(escaped));
		len = snprintf(line, sizeof(line),
			       "{\"time\":\"%s.%03ldZ\",\"level\":\"%s\",\"message\":\"%s\"}\n",
			       stamp, now.tv_nsec / 1000000, levels[level].name, escaped);
	} else {
		len = snprintf(line, sizeof(line), "%s.%03ldZ %-7s %s\n", stamp,
			       now.tv_nsec / 1000000, levels[level].name, message);
	}
	if (len > 0)
		(void)!write(STDERR_FILENO, line, MIN((size_t)len, sizeof(line) - 1));
}

bool log_limit_allow(struct log_limit *limit, uint64_t now_ns, uint64_t *ret_suppressed)
{
	uint64_t interval_ns = limit->interval_ms * NSEC_PER_MSEC;
	uint64_t refill = interval_ns ? (now_ns - limit->last_ns) / interval_ns : limit->used;

	if (refill > 0) {
		limit->used = refill >= limit->used ? 0 : limit->used - (uint32_t)refill;
		limit->last_ns = now_ns;
	}
	if (limit->used >= limit->burst) {
		limit->suppressed++;
		return false;
	}
	limit->used++;
	*ret_suppressed = limit->suppressed;
	limit->suppressed = 0;
	return true;
}
