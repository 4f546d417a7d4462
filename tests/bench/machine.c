/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine, out of /proc and /sys. See machine.h.
 */
#include "machine.h"

#include <bpf/libbpf.h>
#include <dirent.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"

/* Given by the Makefile, of the compiler that the XDP programs are made with. */
#ifndef BENCH_CLANG_VERSION
#define BENCH_CLANG_VERSION "unknown"
#endif

#define VULNERABILITIES "/sys/devices/system/cpu/vulnerabilities"

/* The first line of a file, empty if there is none. */
static const char *read_line(const char *path, char *ret, size_t size)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");

	ret[0] = '\0';
	if (file && fgets(ret, (int)size, file))
		ret[strcspn(ret, "\n")] = '\0';
	return ret;
}

static const char *cpu_model(char *ret, size_t size)
{
	_cleanup_fclose_ FILE *file = fopen("/proc/cpuinfo", "re");
	char line[256];

	snprintf(ret, size, "unknown");
	while (file && fgets(line, sizeof(line), file)) {
		const char *value = strchr(line, ':');

		if (!value || strncmp(line, "model name", 10) != 0)
			continue;
		snprintf(ret, size, "%.*s", (int)strcspn(value + 2, "\n"), value + 2);
		break;
	}
	return ret;
}

static void close_folder(DIR **folder)
{
	if (*folder)
		closedir(*folder);
}

/* Those that the CPU has, and what is done about each. */
static json_t *mitigations(void)
{
	CLEANUP(close_folder) DIR *folder = opendir(VULNERABILITIES);
	json_t *ret = json_object();
	struct dirent *entry;
	char path[512], line[256];

	while (folder && (entry = readdir(folder))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), VULNERABILITIES "/%s", entry->d_name);
		read_line(path, line, sizeof(line));
		if (line[0] && strcmp(line, "Not affected") != 0)
			json_object_set_new(ret, entry->d_name, json_string(line));
	}
	return ret;
}

static void set(json_t *object, const char *key, const char *value)
{
	json_object_set_new(object, key, json_string(value));
}

json_t *machine_describe(void)
{
	json_t *ret = json_object();
	struct utsname names = {0};
	char text[256];
	time_t now = time(NULL);
	struct tm tm = {0};

	uname(&names);
	gmtime_r(&now, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	set(ret, "time", text);
	snprintf(text, sizeof(text), "%s %s", names.release, names.version);
	set(ret, "kernel", text);
	set(ret, "machine", names.machine);
	set(ret, "cpu", cpu_model(text, sizeof(text)));
	json_object_set_new(ret, "cpus", json_integer(sysconf(_SC_NPROCESSORS_ONLN)));
	json_object_set_new(ret, "measured_on_cpu", json_integer(sched_getcpu()));
	set(ret, "load", read_line("/proc/loadavg", text, sizeof(text)));
	set(ret, "bpf_jit_harden",
	    read_line("/proc/sys/net/core/bpf_jit_harden", text, sizeof(text)));
	set(ret, "bpf_compiler", BENCH_CLANG_VERSION);
	set(ret, "compiler", __VERSION__);
	set(ret, "libbpf", libbpf_version_string());
	set(ret, "turnpike", TURNPIKE_VERSION);
	json_object_set_new(ret, "mitigations", mitigations());
	return ret;
}
