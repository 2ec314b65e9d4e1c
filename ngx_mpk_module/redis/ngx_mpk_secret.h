/* Files with secrets: who can read them.  Used by redis/ and by http/. */

#ifndef NGX_MPK_SECRET_H
#define NGX_MPK_SECRET_H

#include <ngx_config.h>
#include <ngx_core.h>


/*
 * NULL: no other user can read the open file, whose info is fi.  Its mode says so, or, for
 * a mode of 0444 as containers and systemd mount secrets, the file system is read-only and
 * a directory above the file denies others to enter.  Else what to do, for an error.  name:
 * its path, with a terminating NUL.
 */
const char *ngx_mpk_secret_exposed(ngx_fd_t fd, ngx_file_info_t *fi,
    u_char *name);


#endif /* NGX_MPK_SECRET_H */
