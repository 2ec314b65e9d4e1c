/* Files with secrets: who can read them. */

#include "ngx_mpk_secret.h"

#include <sys/statvfs.h>


static ngx_uint_t ngx_mpk_secret_enclosed(u_char *name);


const char *
ngx_mpk_secret_exposed(ngx_fd_t fd, ngx_file_info_t *fi, u_char *name)
{
    ngx_uint_t       others;
    struct statvfs   fs;

    others = ngx_file_access(fi) & (S_IROTH|S_IWOTH|S_IXOTH);

    if (others == 0) {
        return NULL;
    }

    if (fstatvfs(fd, &fs) == -1 || !(fs.f_flag & ST_RDONLY)) {
        return "run \"chmod o-rwx\" on it";
    }

    if (others == S_IROTH && ngx_mpk_secret_enclosed(name)) {
        return NULL;
    }

    return "mount it with mode 0400 (\"mode\" of a Docker secret, "
           "\"defaultMode\" of a Kubernetes volume), or below a directory that "
           "others can't enter";
}


/* Whether others can't enter a directory above the file. */

static ngx_uint_t
ngx_mpk_secret_enclosed(u_char *name)
{
    char             *path, *slash;
    ngx_uint_t        enclosed;
    ngx_file_info_t   fi;

    path = realpath((char *) name, NULL);
    if (path == NULL) {
        return 0;
    }

    enclosed = 0;

    while (!enclosed && (slash = strrchr(path, '/')) != NULL) {
        *slash = '\0';

        if (ngx_file_info((u_char *) (path[0] ? path : "/"), &fi)
            == NGX_FILE_ERROR)
        {
            break;
        }

        enclosed = !(ngx_file_access(&fi) & S_IXOTH);
    }

    free(path);

    return enclosed;
}
