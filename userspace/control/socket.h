/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside control/ only: the listening socket's file.
 */
#ifndef TURNPIKE_CONTROL_SOCKET_H
#define TURNPIKE_CONTROL_SOCKET_H

#include <stdbool.h>
#include <sys/stat.h>

/* What a listener made in the file system, to be removed at its end. */
struct control_socket_file {
	struct stat st;
	bool made_folder;
};

/* A non-blocking listener on path. Errors are those of control_server_open. */
int control_socket_listen(const char *path, int *ret_fd, struct control_socket_file *ret_file);
/*
 * Removes the file at path if it is still the one that listen made, and then its folder if listen
 * made that too and nothing else is in it.
 */
void control_socket_remove(const char *path, const struct control_socket_file *file);

#endif
