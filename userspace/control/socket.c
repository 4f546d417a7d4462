/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control socket's file: its folder, its mode, whether somebody lives there already.
 */
#include "control/socket.h"

#include <errno.h>
#include <libgen.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/cleanup.h"

#define BACKLOG 16

static int make_folder(const char *path, bool *ret_made)
{
	_cleanup_free_ char *copy = strdup(path);

	if (!copy)
		return -ENOMEM;

	const char *folder = dirname(copy);

	if (mkdir(folder, 0755) < 0)
		return errno == EEXIST ? 0 : -errno;
	*ret_made = true;
	/* The process's umask must not lock the socket's group out. */
	return chmod(folder, 0755) < 0 ? -errno : 0;
}

/* Nothing is lost if others have put something there: a folder that is not empty stays. */
static void remove_folder(const char *path)
{
	_cleanup_free_ char *copy = strdup(path);

	if (copy)
		rmdir(dirname(copy));
}

/* 0 if the file at path may go: a socket on which nobody listens. */
static int check_stale(const char *path, const struct sockaddr_un *sun)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct stat st;

	if (fd < 0 || lstat(path, &st) < 0)
		return -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	/* A full backlog (EAGAIN) is somebody, too. */
	if (connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) == 0 || errno == EAGAIN)
		return -EADDRINUSE;
	return errno == ECONNREFUSED ? 0 : -errno;
}

static int bind_file(int fd, const char *path)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int err;

	if (strlen(path) >= sizeof(sun.sun_path))
		return -ENAMETOOLONG;
	memcpy(sun.sun_path, path, strlen(path));
	/* Linux gives the file the socket's own mode, less the umask: it is never wider than this,
	 * not even before the chmod behind it. */
	if (fchmod(fd, 0600) < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0)
		return 0;
	if (errno != EADDRINUSE)
		return -errno;
	err = check_stale(path, &sun);
	if (err < 0)
		return err;
	if (unlink(path) < 0 || bind(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		return -errno;
	return 0;
}

static int listen_on(int fd, const char *path, struct stat *ret)
{
	int err = bind_file(fd, path);

	if (err < 0)
		return err;
	if (listen(fd, BACKLOG) < 0 || chmod(path, 0660) < 0 || lstat(path, ret) < 0) {
		err = -errno;
		unlink(path);
		return err;
	}
	return 0;
}

int control_socket_listen(const char *path, int *ret_fd, struct control_socket_file *ret_file)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct control_socket_file file = {0};
	int err = fd < 0 ? -errno : make_folder(path, &file.made_folder);

	if (err == 0)
		err = listen_on(fd, path, &file.st);
	if (err < 0) {
		if (file.made_folder)
			remove_folder(path);
		return err;
	}
	*ret_file = file;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

void control_socket_remove(const char *path, const struct control_socket_file *file)
{
	struct stat st;

	if (lstat(path, &st) == 0 && st.st_dev == file->st.st_dev && st.st_ino == file->st.st_ino)
		unlink(path);
	if (file->made_folder)
		remove_folder(path);
}
