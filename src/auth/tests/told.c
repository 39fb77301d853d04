/*
 * A PAM module for tests, which does what its arguments say:
 *
 *   auth|account|open_session=CODE   the return code of that function
 *   auth|account|...=segv            a crash there
 *   auth|account|...=hang            no answer there
 */
#define PAM_SM_AUTH
#define PAM_SM_ACCOUNT
#define PAM_SM_SESSION
#include <security/pam_modules.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int told(const char *phase, int argc, const char **argv)
{
	size_t len = strlen(phase);

	for (int i = 0; i < argc; i++) {
		const char *what = argv[i] + len + 1;

		if (strncmp(argv[i], phase, len) != 0 || argv[i][len] != '=')
			continue;
		if (strcmp(what, "segv") == 0)
			*(volatile int *)16 = 1;
		if (strcmp(what, "hang") == 0)
			for (;;)
				pause();
		return atoi(what);
	}
	return PAM_SUCCESS;
}

#define PHASE(function, phase)                                                  \
	int function(pam_handle_t *pam, int flags, int argc, const char **argv)    \
	{                                                                          \
		(void)pam;                                                             \
		(void)flags;                                                           \
		return told(phase, argc, argv);                                        \
	}

PHASE(pam_sm_authenticate, "auth")
PHASE(pam_sm_setcred, "setcred")
PHASE(pam_sm_acct_mgmt, "account")
PHASE(pam_sm_open_session, "open_session")
PHASE(pam_sm_close_session, "close_session")
