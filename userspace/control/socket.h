/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside control/ only: the listening socket's file.
 */
#ifndef TURNPIKE_CONTROL_SOCKET_H
#define TURNPIKE_CONTROL_SOCKET_H

#include <sys/stat.h>

/* A non-blocking listener on path. Errors are those of control_server_open. */
int control_socket_listen(const char *path, int *ret_fd, struct stat *ret_file);
/* Removes the file at path if it is still the one that listen made. */
void control_socket_remove(const char *path, const struct stat *file);

#endif
