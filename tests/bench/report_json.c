/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The report as JSON. See report.h. Every figure of the tables is in it, with the samples it is
 * from.
 */
#include <bpf/libbpf.h>
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/macros.h"
#include "machine.h"
#include "report.h"

#define REPORT_FORMAT 1 /* one more when a key changes its meaning */

static json_t *from_samples(const struct samples *samples)
{
	struct summary s = samples_summary(samples);
	json_t *values = json_array();

	for (size_t i = 0; i < samples->count; i++)
		json_array_append_new(values, json_real(samples->values[i]));
	return json_pack("{s:f, s:f, s:f, s:f, s:f, s:o}", "median", s.median, "lower_quartile",
			 s.lower, "upper_quartile", s.upper, "min", s.min, "max", s.max, "samples",
			 values);
}

static json_t *from_size(int fd)
{
	struct program_size size = {0};

	if (program_read_size(fd, &size))
		return json_null();
	return json_pack("{s:i, s:i, s:i}", "verified_instructions", (int)size.verified_insns,
			 "instructions", (int)size.insns, "machine_code_bytes",
			 (int)size.jited_bytes);
}

static json_t *from_sizes(const struct world *world)
{
	return json_pack("{s:o, s:o, s:o, s:o}", "turnpike", from_size(world->turnpike_fd), "bare",
			 from_size(bpf_program__fd(world->bench->progs.bare)), "wire",
			 from_size(bpf_program__fd(world->bench->progs.wire)), "empty",
			 from_size(bpf_program__fd(world->bench->progs.bench_empty_tx)));
}

static json_t *from_form(const struct program_result *r)
{
	json_t *ret = json_pack("{s:s, s:s, s:b}", "form", r->form->name, "families",
				r->form->families, "measured", !r->unsupported);

	if (r->unsupported)
		return ret;
	json_object_set_new(ret, "runs", json_integer((json_int_t)r->runs));
	json_object_set_new(ret, "successes", json_integer((json_int_t)r->successes));
	json_object_set_new(ret, "ns", from_samples(&r->ns));
	if (!forms_is_carried(r->form))
		return ret;
	json_object_set_new(ret, "bare_ns", from_samples(&r->bare_ns));
	json_object_set_new(ret, "ns_of_bare", from_samples(&r->of_bare));
	json_object_set_new(ret, "bare_runs", json_integer((json_int_t)r->bare_runs));
	json_object_set_new(ret, "bare_failures", json_integer((json_int_t)r->bare_failures));
	return ret;
}

static json_t *from_program(const struct program_results *results)
{
	json_t *list = json_array();

	for (size_t i = 0; i < forms_count; i++)
		json_array_append_new(list, from_form(&results->form[i]));
	return json_pack("{s:i, s:i, s:i, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "data_bytes",
			 FORMS_DATA_LEN, "rounds", PROGRAM_ROUNDS, "runs_per_round", PROGRAM_RUNS,
			 "frames_not_put_back", (json_int_t)results->put_back_failures, "empty_ns",
			 from_samples(&results->empty_ns), "harness_ns",
			 from_samples(&results->harness_ns), "wire_ns",
			 from_samples(&results->wire_ns), "miss_plain_ns",
			 from_samples(&results->plain_ns), "miss_harnessed_ns",
			 from_samples(&results->harnessed_ns), "forms", list);
}

static json_t *from_path_result(const struct path_result *r)
{
	return json_pack("{s:o, s:o, s:o, s:I, s:I, s:I}", "packets_per_second",
			 from_samples(&r->packets_per_second), "of_bare", from_samples(&r->of_bare),
			 "of_wire", from_samples(&r->of_wire), "sent", (json_int_t)r->sent,
			 "arrived", (json_int_t)r->arrived, "counted_by_turnpike",
			 (json_int_t)r->counted);
}

static json_t *from_path(const struct path_results *results)
{
	json_t *list = json_array();

	for (int way = 0; way < PATH_WAY_MAX && !results->skipped; way++) {
		json_t *entry = json_pack("{s:s}", "way", path_way_name((enum path_way)way));

		for (int i = 0; i < WORLD_RELAY_MAX; i++)
			json_object_set_new(entry, world_relay_name((enum world_relay)i),
					    from_path_result(&results->result[way][i]));
		json_array_append_new(list, entry);
	}
	return json_pack("{s:i, s:i, s:b, s:o}", "rounds", PATH_ROUNDS, "packets_per_round",
			 PATH_PACKETS, "skipped", results->skipped != 0, "ways", list);
}

static int make_folder(const char *path)
{
	_cleanup_free_ char *copy = strdup(path);

	if (!copy)
		return -ENOMEM;
	return mkdir(dirname(copy), 0755) < 0 && errno != EEXIST ? -errno : 0;
}

int report_write(const struct report *report, const char *path)
{
	json_t *root = json_pack("{s:i, s:o, s:o, s:o, s:o}", "format", REPORT_FORMAT, "machine",
				 machine_describe(), "programs", from_sizes(report->world),
				 "program", from_program(&report->program), "path",
				 from_path(&report->path));
	int err = root ? make_folder(path) : -ENOMEM;

	if (!err && json_dump_file(root, path, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) < 0)
		err = -EIO;
	json_decref(root);
	return err;
}
