/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "controlplane/record/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controlplane/record/say.h"
#include "dataplane/base/text.h"
#include "dataplane/wire/kdf.h"

void identity_from_seed(struct identity *id, const uint8_t seed[32])
{
	uint8_t secret[crypto_sign_SECRETKEYBYTES];
	const struct vx6_part part[] = {
		{ seed, 32 }
	};

	memcpy(id->seed, seed, sizeof(id->seed));
	crypto_sign_seed_keypair(id->public_key, secret, seed);
	sodium_memzero(secret, sizeof(secret));
	vx6_node_id(id->id, id->public_key);
	vx6_hash(id->enc_secret, "vx6/1 encryption key", part, 1);
	crypto_scalarmult_base(id->enc_public, id->enc_secret);
}

void identity_sign(const struct identity *id, const uint8_t *msg, size_t len,
		   uint8_t signature[64])
{
	uint8_t secret[crypto_sign_SECRETKEYBYTES];

	memcpy(secret, id->seed, 32);
	memcpy(secret + 32, id->public_key, 32);
	crypto_sign_detached(signature, NULL, msg, len, secret);
	sodium_memzero(secret, sizeof(secret));
}

void identity_wipe(struct identity *id)
{
	sodium_memzero(id, sizeof(*id));
}

static enum vx6_status open_dir(const char *dir, int *fd, struct state_why *why)
{
	*fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*fd < 0)
		return state_say(why, VX6_SYS, "%s: %s", dir, strerror(errno));
	return VX6_OK;
}

static bool write_all(int fd, const uint8_t *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		data += n;
		len -= (size_t)n;
	}
	return true;
}

/* Writes a new file of that name, synced; false with errno. */
static bool write_new(int dirfd, const char *name, const uint8_t *data,
		      size_t len)
{
	int fd = openat(dirfd, name,
			O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
			0600);

	if (fd < 0)
		return false;
	bool ok = fchmod(fd, 0600) == 0 && write_all(fd, data, len) &&
		  fsync(fd) == 0;
	int err = errno;
	close(fd);
	errno = err;
	return ok;
}

/* Puts the key in its place, or finds the place taken. */
static enum vx6_status place_key(const char *dir, int dirfd,
				 const uint8_t file[IDENTITY_FILE_LEN],
				 struct state_why *why)
{
	uint8_t rnd[10];
	char text[VX6_BASE32(sizeof(rnd))];
	char name[sizeof(IDENTITY_FILE) + sizeof(text) + 1];
	enum vx6_status st = VX6_OK;

	randombytes_buf(rnd, sizeof(rnd));
	snprintf(name, sizeof(name), IDENTITY_FILE ".%s",
		 vx6_base32(rnd, sizeof(rnd), text));
	if (!write_new(dirfd, name, file, IDENTITY_FILE_LEN))
		st = state_say(why, VX6_SYS, "%s/%s cannot be written: %s", dir,
			       name, strerror(errno));
	else if (linkat(dirfd, name, dirfd, IDENTITY_FILE, 0) != 0)
		st = state_say(why, errno == EEXIST ? VX6_EXISTS : VX6_SYS,
			       "%s/%s cannot be made: %s", dir, IDENTITY_FILE,
			       errno == EEXIST ? "there is one, and it is "
						 "never overwritten"
					       : strerror(errno));
	unlinkat(dirfd, name, 0);
	if (st == VX6_OK && fsync(dirfd) != 0)
		st = state_say(why, VX6_SYS, "%s cannot be synced: %s", dir,
			       strerror(errno));
	return st;
}

enum vx6_status identity_create(const char *dir, struct identity *id,
				struct state_why *why)
{
	uint8_t file[IDENTITY_FILE_LEN];
	uint8_t seed[32];
	int dirfd;
	enum vx6_status st = open_dir(dir, &dirfd, why);

	if (st != VX6_OK)
		return st;
	randombytes_buf(seed, sizeof(seed));
	identity_from_seed(id, seed);
	memcpy(file, id->seed, 32);
	memcpy(file + 32, id->public_key, 32);
	st = place_key(dir, dirfd, file, why);
	if (st != VX6_OK)
		identity_wipe(id);
	sodium_memzero(seed, sizeof(seed));
	sodium_memzero(file, sizeof(file));
	close(dirfd);
	return st;
}

static enum vx6_status judge_file(const char *dir, int fd,
				  struct state_why *why)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return state_say(why, VX6_SYS, "%s/" IDENTITY_FILE ": %s", dir,
				 strerror(errno));
	if (!S_ISREG(st.st_mode))
		return state_say(why, VX6_CONFIG,
				 "%s/" IDENTITY_FILE " is not a plain file",
				 dir);
	if (st.st_uid != geteuid())
		return state_say(why, VX6_CONFIG,
				 "%s/" IDENTITY_FILE " belongs to user %u and "
				 "we run as user %u: run vx6 as its owner",
				 dir, st.st_uid, geteuid());
	if ((st.st_mode & 07777) != 0600)
		return state_say(
			why, VX6_CONFIG,
			"%s/" IDENTITY_FILE " has mode %04o instead "
			"of 0600: run chmod 600 on it; if others could "
			"read it, the node needs a new identity",
			dir, st.st_mode & 07777);
	if (st.st_size != IDENTITY_FILE_LEN)
		return state_say(why, VX6_CONFIG,
				 "%s/" IDENTITY_FILE " has %lld bytes instead "
				 "of %u: restore it from a backup",
				 dir, (long long)st.st_size, IDENTITY_FILE_LEN);
	return VX6_OK;
}

static enum vx6_status read_key(const char *dir, int fd, struct identity *id,
				struct state_why *why)
{
	uint8_t file[IDENTITY_FILE_LEN];
	enum vx6_status st = VX6_OK;

	if (pread(fd, file, sizeof(file), 0) != (ssize_t)sizeof(file))
		return state_say(why, VX6_SYS, "%s/" IDENTITY_FILE ": %s", dir,
				 strerror(errno));
	identity_from_seed(id, file);
	if (sodium_memcmp(file + 32, id->public_key, 32) != 0) {
		identity_wipe(id);
		st = state_say(why, VX6_BAD_KEY,
			       "%s/" IDENTITY_FILE " is damaged (its halves do "
			       "not belong together): restore it from a backup",
			       dir);
	}
	sodium_memzero(file, sizeof(file));
	return st;
}

enum vx6_status identity_load(const char *dir, struct identity *id,
			      struct state_why *why)
{
	int dirfd;
	enum vx6_status st = open_dir(dir, &dirfd, why);

	if (st != VX6_OK)
		return st;
	/* Non-blocking, or a FIFO of that name would hold us here. */
	int fd = openat(dirfd, IDENTITY_FILE,
			O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	int err = errno;
	close(dirfd);
	if (fd < 0 && err == ENOENT)
		return state_say(why, VX6_NOT_FOUND,
				 "%s has no " IDENTITY_FILE ": run vx6 init",
				 dir);
	if (fd < 0)
		return state_say(why, err == ELOOP ? VX6_CONFIG : VX6_SYS,
				 "%s/" IDENTITY_FILE ": %s", dir,
				 err == ELOOP ? "is a symbolic link, and those "
						"are not followed"
					      : strerror(err));
	st = judge_file(dir, fd, why);
	if (st == VX6_OK)
		st = read_key(dir, fd, id, why);
	close(fd);
	return st;
}

enum vx6_status identity_open(const char *dir, struct identity *id, bool *made,
			      struct state_why *why)
{
	enum vx6_status st = identity_load(dir, id, why);

	*made = false;
	if (st != VX6_NOT_FOUND)
		return st;
	st = identity_create(dir, id, why);
	if (st == VX6_EXISTS) /* another one made it since */
		return identity_load(dir, id, why);
	*made = st == VX6_OK;
	return st;
}
