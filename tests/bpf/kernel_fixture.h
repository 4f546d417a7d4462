/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A loaded kernel path for tests, in network and mount namespaces of the test's own: interfaces
 * are those of netns.h, pins are in a folder that carries the test's process id.
 */
#ifndef TURNPIKE_TESTS_KERNEL_FIXTURE_H
#define TURNPIKE_TESTS_KERNEL_FIXTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/kernel.h"

#define FIXTURE_SLOTS	8
#define FIXTURE_BUCKETS 4

extern char fixture_pin_path[64];

/* True if the process got its namespaces; otherwise prints `SKIP name: why`. */
bool fixture_may_run(const char *name);

/* FIXTURE_SLOTS slots, 16 next hops, FIXTURE_BUCKETS buckets, two workers. */
struct kernel_options fixture_options(enum kernel_mode mode);
struct kernel *fixture_open(enum kernel_mode mode);

/* For cmocka: *state is a struct kernel in mode auto; or NULL, for tests that open their own. */
int fixture_set_up(void **state);
int fixture_set_up_pair(void **state);
/* Closes what *state is by then, and checks that nothing is left of the pins. */
int fixture_tear_down(void **state);

#define fixture_test(test) cmocka_unit_test_setup_teardown(test, fixture_set_up, fixture_tear_down)
#define fixture_test_opening(test) \
	cmocka_unit_test_setup_teardown(test, fixture_set_up_pair, fixture_tear_down)

bool fixture_has_pin(const char *name);
int fixture_open_pin(const char *name);
/* Reads one value of a pinned map. 0 or -errno. */
int fixture_read_pin(const char *name, const void *key, void *ret);
void fixture_write_pin(const char *name, const void *key, const void *value);

/* An XDP program named tp_other that passes everything up. The descriptor is the caller's. */
int fixture_load_other_program(void);
/* The id of the XDP program on an interface, 0 for none. */
uint32_t fixture_program_on(const char *ifname);
/* Attaches, and fails the test unless it is in that mode. */
void fixture_attach(struct kernel *kernel, const char *ifname, enum kernel_mode mode);

#endif
