/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control socket's file and folder: modes, who is there already, what is left at the end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control_fixture.h"

static void socket_and_folder_have_their_modes_whatever_the_umask(void **state)
{
	static const mode_t masks[] = {0, 077, 0777};
	struct fixture *f = *state;
	struct stat st;
	char folder[96];

	snprintf(folder, sizeof(folder), "%s/run", f->folder);
	for (size_t i = 0; i < ARRAY_SIZE(masks); i++) {
		control_server_close(&f->server);
		assert_int_equal(stat(folder, &st), -1);

		mode_t old = umask(masks[i]);
		int err = control_server_open(f->base, f->path, handle, f, &f->server);

		umask(old);
		assert_int_equal(err, 0);
		assert_int_equal(stat(f->path, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0660);
		assert_int_equal(stat(folder, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0755);
	}
}

static void a_living_daemon_is_not_replaced(void **state)
{
	struct fixture *f = *state;
	struct control_server *second = NULL;
	_cleanup_close_ int fd = -1;

	assert_int_equal(control_server_open(f->base, f->path, handle, f, &second), -EADDRINUSE);
	assert_null(second);
	fd = dial(f);
	say(fd, "{\"command\": \"status\"}\n");
	expect_line(f, fd, "{\"ok\":true,\"result\":{\"calls\":1}}");
}

static void a_dead_daemons_socket_is_replaced(void **state)
{
	struct fixture *f = *state;
	_cleanup_close_ int dead = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un sun = sun_of(f->path);
	_cleanup_close_ int fd = -1;

	control_server_close(&f->server);
	make_run_folder(f);
	assert_int_equal(bind(dead, (struct sockaddr *)&sun, sizeof(sun)), 0);
	cleanup_close(&dead);
	assert_int_equal(control_server_open(f->base, f->path, handle, f, &f->server), 0);
	fd = dial(f);
	say(fd, "{\"command\": \"status\"}\n");
	expect_line(f, fd, "{\"ok\":true,\"result\":{\"calls\":1}}");
}

static void a_file_that_is_no_socket_is_left_alone(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	control_server_close(&f->server);
	make_run_folder(f);
	fclose(fopen(f->path, "we"));
	assert_int_equal(control_server_open(f->base, f->path, handle, f, &f->server), -EEXIST);
	assert_null(f->server);
	assert_int_equal(stat(f->path, &st), 0);
	assert_true(S_ISREG(st.st_mode));
}

static void closing_ends_connections_and_removes_only_its_own_file(void **state)
{
	struct fixture *f = *state;
	_cleanup_close_ int fd = dial(f);
	struct stat st;

	turn_loop(f);
	control_server_close(&f->server);
	expect_end(f, fd);
	assert_int_equal(stat(f->path, &st), -1);

	assert_int_equal(control_server_open(f->base, f->path, handle, f, &f->server), 0);
	unlink(f->path);
	fclose(fopen(f->path, "we"));
	control_server_close(&f->server);
	assert_int_equal(stat(f->path, &st), 0);
}

static void only_a_folder_that_the_server_made_and_nobody_uses_is_removed(void **state)
{
	struct fixture *f = *state;
	struct stat st;
	char run[96], other[112];

	snprintf(run, sizeof(run), "%s/run", f->folder);
	snprintf(other, sizeof(other), "%s/run/other", f->folder);
	fclose(fopen(other, "we"));
	control_server_close(&f->server);
	assert_int_equal(stat(f->path, &st), -1);
	assert_int_equal(stat(other, &st), 0);
	unlink(other);

	/* It is there already, so it is somebody else's now. */
	assert_int_equal(control_server_open(f->base, f->path, handle, f, &f->server), 0);
	control_server_close(&f->server);
	assert_int_equal(stat(run, &st), 0);
	assert_int_equal(rmdir(run), 0);

	assert_int_equal(control_server_open(f->base, f->path, handle, f, &f->server), 0);
	control_server_close(&f->server);
	assert_int_equal(stat(run, &st), -1);
}

static void a_folder_made_for_a_socket_that_cannot_be_is_not_left(void **state)
{
	struct fixture *f = *state;
	struct control_server *server = NULL;
	struct stat st;
	char folder[96], path[256];

	snprintf(folder, sizeof(folder), "%s/new", f->folder);
	snprintf(path, sizeof(path), "%s/%0120d", folder, 0);
	assert_int_equal(control_server_open(f->base, path, handle, f, &server), -ENAMETOOLONG);
	assert_int_equal(stat(folder, &st), -1);
}

static void paths_that_cannot_hold_a_socket_are_errors(void **state)
{
	struct fixture *f = *state;
	struct control_server *server = NULL;
	char path[200];

	memset(path, 'x', sizeof(path));
	memcpy(path, "/tmp/tp-", 8);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(control_server_open(f->base, path, handle, f, &server), -ENAMETOOLONG);
	assert_int_equal(control_server_open(f->base, "/nonexistent/a/b", handle, f, &server),
			 -ENOENT);
	assert_null(server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(socket_and_folder_have_their_modes_whatever_the_umask),
		TEST(a_living_daemon_is_not_replaced),
		TEST(a_dead_daemons_socket_is_replaced),
		TEST(a_file_that_is_no_socket_is_left_alone),
		TEST(closing_ends_connections_and_removes_only_its_own_file),
		TEST(only_a_folder_that_the_server_made_and_nobody_uses_is_removed),
		TEST(a_folder_made_for_a_socket_that_cannot_be_is_not_left),
		TEST(paths_that_cannot_hold_a_socket_are_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
