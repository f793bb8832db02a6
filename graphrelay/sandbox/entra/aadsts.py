"""Entra ID's refusals: one table from AADSTS number to OAuth error and text.

The numbers and what they mean are from "Microsoft Entra authentication and authorization error
codes"; the texts follow answers that were published word for word. Clients must decide by `error`
and `suberror`: numbers and texts are for people, and Microsoft changes them.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Known:
    """One row of the table; `text` has named places to be filled in."""

    error: str
    text: str
    suberror: str = ""
    status: int = 400


KNOWN: dict[int, Known] = {
    # A user must sign in or consent again, or be granted access.
    50034: Known(
        "invalid_grant",
        "The user account {user} does not exist in the {tenant} directory. To sign into this "
        "application, the account must be added to the directory.",
    ),
    50053: Known(
        "invalid_grant",
        "The account is locked, you've tried to sign in too many times with an incorrect user ID "
        "or password.",
    ),
    50055: Known("invalid_grant", "The password is expired.", "user_password_expired"),
    50057: Known("invalid_grant", "The user account is disabled."),
    50058: Known(
        "login_required",
        "A silent sign-in request was sent but no user is signed in.",
    ),
    50074: Known("invalid_grant", "Strong Authentication is required.", "basic_action"),
    50076: Known(
        "invalid_grant",
        "Due to a configuration change made by your administrator, or because you moved to a new "
        "location, you must use multi-factor authentication to access "
        "'00000003-0000-0000-c000-000000000000'.",
        "basic_action",
    ),
    50078: Known(
        "invalid_grant",
        "Presented multi-factor authentication has expired due to policies configured by your "
        "administrator, you must refresh your multi-factor authentication to access "
        "'00000003-0000-0000-c000-000000000000'.",
        "basic_action",
    ),
    50079: Known(
        "invalid_grant",
        "Due to a configuration change made by your administrator, or because you moved to a new "
        "location, you must enroll in multi-factor authentication to access "
        "'00000003-0000-0000-c000-000000000000'.",
        "basic_action",
    ),
    50126: Known(
        "invalid_grant", "Error validating credentials due to invalid username or password."
    ),
    50173: Known(
        "invalid_grant",
        "The provided grant has expired due to it being revoked, a fresh auth token is needed. "
        "The user might have changed or reset their password. The grant was issued on '{issued}' "
        "and the TokensValidFrom date (before which tokens are not valid) for this user is "
        "'{valid_from}'.",
        "bad_token",
    ),
    53000: Known(
        "invalid_grant",
        "Device is not in required device state: {state}. Conditional Access policy requires a "
        "compliant device, and the device is not compliant.",
        "message_only",
    ),
    53003: Known(
        "invalid_grant",
        "Access has been blocked by Conditional Access policies. The access policy does not "
        "allow token issuance.",
        "message_only",
    ),
    530032: Known("invalid_grant", "User blocked due to risk on home tenant.", "message_only"),
    530035: Known(
        "invalid_grant",
        "Access has been blocked by security defaults. This is due to the request using legacy "
        "auth or being deemed unsafe by security defaults policies.",
        "message_only",
    ),
    65001: Known(
        "invalid_grant",
        "The user or administrator has not consented to use the application with ID '{app}' named "
        "'{app_name}'. Send an interactive authorization request for this user and resource.",
        "consent_required",
    ),
    65004: Known("access_denied", "User declined to consent to access the app."),
    70008: Known(
        "invalid_grant",
        "The provided authorization code or refresh token has expired due to inactivity. Send a "
        "new interactive authorization request for this user and resource.",
        "token_expired",
    ),
    70043: Known(
        "invalid_grant",
        "The refresh token has expired or is invalid due to sign-in frequency checks by "
        "conditional access. The token was issued on {issued} and the maximum allowed lifetime "
        "for this request is 86400.",
        "token_expired",
    ),
    70044: Known(
        "invalid_grant",
        "The session has expired or is invalid due to sign-in frequency checks by conditional "
        "access.",
        "token_expired",
    ),
    700082: Known(
        "invalid_grant",
        "The refresh token has expired due to inactivity. The token was issued on {issued} and "
        "was inactive for 90.00:00:00.",
        "bad_token",
    ),
    700084: Known(
        "invalid_grant",
        "The refresh token was issued to a single page app (SPA), and therefore has a fixed, "
        "limited lifetime of 1.00:00:00, which cannot be extended. It is now expired and a new "
        "sign in request must be sent by the SPA to the sign in page.",
        "bad_token",
    ),
    90094: Known(
        "access_denied",
        "An administrator of {tenant} has set a policy that prevents you from granting {app_name} "
        "the permissions it is requesting. Contact an administrator of {tenant}, who can grant "
        "permissions to this app on your behalf.",
    ),
    # The grant itself is invalid.
    54005: Known(
        "invalid_grant",
        "OAuth2 Authorization code was already redeemed, please retry with a new valid code or "
        "use an existing refresh token.",
    ),
    70000: Known("invalid_grant", "Provided grant is invalid or malformed."),
    500112: Known(
        "invalid_client",
        "The reply address '{redirect}' does not match the reply address '{registered}' provided "
        "when requesting Authorization code.",
        status=401,
    ),
    501481: Known(
        "invalid_grant",
        "The Code_Verifier does not match the code_challenge supplied in the authorization "
        "request.",
    ),
    501491: Known("invalid_request", "Invalid size of Code_Challenge parameter."),
    9002313: Known("invalid_grant", "Invalid request. Request is malformed or invalid."),
    # The device code flow.
    70016: Known(
        "authorization_pending",
        "OAuth 2.0 device flow error. Authorization is pending. Continue polling.",
    ),
    70017: Known(
        "authorization_declined",
        "OAuth 2.0 device flow error. The user denied the authorization request.",
    ),
    70019: Known("bad_verification_code", "Verification code expired or is invalid."),
    70020: Known(
        "expired_token",
        "The provided value for the input parameter 'device_code' is not valid. This device code "
        "has expired.",
    ),
    # The application is not set up, or asks for the wrong thing.
    50011: Known(
        "invalid_request",
        "The redirect URI '{redirect}' specified in the request does not match the redirect URIs "
        "configured for the application '{app}'. Make sure the redirect URI sent in the request "
        "matches one added to your application in the Azure portal. Navigate to "
        "https://aka.ms/redirectUriMismatchError to learn more about how to troubleshoot this "
        "error.",
    ),
    50020: Known(
        "invalid_grant",
        "User account '{user}' from identity provider '{provider}' does not exist in tenant "
        "'{tenant}' and cannot access the application '{app}'({app_name}) in that tenant. The "
        "account needs to be added as an external user in the tenant first. Sign out and sign in "
        "again with a different Azure Active Directory user account.",
    ),
    50194: Known(
        "invalid_request",
        "Application '{app}'({app_name}) is not configured as a multi-tenant application. Usage "
        "of the /common endpoint is not supported for such apps created after '10/15/2018'. Use a "
        "tenant-specific endpoint or configure the application to be multi-tenant.",
    ),
    70001: Known(
        "unauthorized_client",
        "Application with identifier '{app}' is disabled.",
    ),
    70002: Known("invalid_client", "Error validating credentials.", status=401),
    70003: Known(
        "unsupported_grant_type", "The app requested an unsupported grant type '{grant_type}'."
    ),
    70011: Known(
        "invalid_scope",
        "The provided request must include a 'scope' input parameter. The provided value for the "
        "input parameter 'scope' is not valid. The scope {scope} is not valid.",
    ),
    90002: Known(
        "invalid_request",
        "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are "
        "signing into the correct cloud. Check with your subscription administrator, this may "
        "happen if there are no active subscriptions for the tenant.",
    ),
    90013: Known("invalid_request", "Invalid input received from the user."),
    500011: Known(
        "invalid_resource",
        "The resource principal named {resource} was not found in the tenant named {tenant}. This "
        "can happen if the application has not been installed by the administrator of the tenant "
        "or consented to by any user in the tenant. You might have sent your authentication "
        "request to the wrong tenant.",
    ),
    28000: Known(
        "invalid_request",
        "Provided value for the input parameter scope is not valid because it contains more than "
        "one resource. Scope {scope} is not valid.",
    ),
    500021: Known("access_denied", "Access to '{tenant}' tenant is denied."),
    650053: Known(
        "invalid_client",
        "The application '{app_name}' asked for scope '{scope}' that doesn't exist on the "
        "resource '00000003-0000-0000-c000-000000000000'. Contact the app vendor.",
    ),
    700016: Known(
        "unauthorized_client",
        "Application with identifier '{app}' was not found in the directory '{tenant}'. This can "
        "happen if the application has not been installed by the administrator of the tenant or "
        "consented to by any user in the tenant. You may have sent your authentication request "
        "to the wrong tenant.",
    ),
    700054: Known(
        "unsupported_response_type",
        "response_type '{response_type}' is not enabled for the application.",
    ),
    900023: Known(
        "invalid_request",
        "Specified tenant identifier '{tenant}' is neither a valid DNS name, nor a valid external "
        "domain.",
    ),
    900144: Known(
        "invalid_request",
        "The request body must contain the following parameter: '{parameter}'.",
    ),
    1002012: Known(
        "invalid_scope",
        "The provided value for scope {scope} is not valid. Client credential flows must have a "
        "scope value with /.default suffixed to the resource identifier (application ID URI).",
    ),
    7000112: Known(
        "unauthorized_client", "Application '{app}'({app_name}) is disabled.", status=401
    ),
    7000229: Known(
        "unauthorized_client",
        "The client application {app} is missing service principal in the tenant {tenant}. See "
        "instructions here: https://go.microsoft.com/fwlink/?linkid=2225119",
        status=401,
    ),
    9001023: Known(
        "invalid_request",
        "The grant type is not supported over the /common or /consumers endpoints. Please use the "
        "/organizations or tenant-specific endpoint.",
    ),
    9002331: Known(
        "invalid_request",
        "Application '{app}'({app_name}) is configured for use by Microsoft Account users only. "
        "Please use the /consumers endpoint to serve this request.",
    ),
    9002332: Known(
        "invalid_request",
        "Application '{app}'({app_name}) is configured for use by Azure Active Directory users "
        "only. Please do not use the /consumers endpoint to serve this request.",
    ),
    # The application does not authenticate correctly.
    5002738: Known(
        "invalid_client",
        "Invalid JWT token. '{algorithm}' is not a supported signature algorithm. Supported "
        "signing algorithms are: 'RS256, RS384, RS512, PS256, PS384, PS512'",
        status=401,
    ),
    50027: Known("invalid_request", "JWT token is invalid or malformed."),
    700021: Known(
        "invalid_client",
        "Client assertion application identifier doesn't match 'client_id' parameter.",
        status=401,
    ),
    700023: Known(
        "invalid_client",
        "Client assertion audience claim does not match Realm issuer. Review the documentation at "
        "https://learn.microsoft.com/entra/identity-platform/certificate-credentials .",
        status=401,
    ),
    700024: Known(
        "invalid_client",
        "Client assertion is not within its valid time range. Current time: {current}, assertion "
        "valid from {valid_from}, expiry time of assertion {expires}.",
        status=401,
    ),
    700025: Known(
        "invalid_client",
        "Client is public so neither 'client_assertion' nor 'client_secret' should be presented.",
        status=401,
    ),
    700027: Known(
        "invalid_client",
        "Client assertion contains an invalid signature. [Reason - {reason}]",
        status=401,
    ),
    700211: Known(
        "invalid_client",
        "No matching federated identity record found for presented assertion issuer '{value}'. "
        "Check your federated identity credential Subject, Audience and Issuer against the "
        "presented assertion.",
        status=401,
    ),
    700212: Known(
        "invalid_client",
        "No matching federated identity record found for presented assertion audience '{value}'. "
        "Check your federated identity credential Subject, Audience and Issuer against the "
        "presented assertion.",
        status=401,
    ),
    700213: Known(
        "invalid_client",
        "No matching federated identity record found for presented assertion subject '{value}'. "
        "Check your federated identity credential Subject, Audience and Issuer against the "
        "presented assertion.",
        status=401,
    ),
    7000215: Known(
        "invalid_client",
        "Invalid client secret provided. Ensure the secret being sent in the request is the "
        "client secret value, not the client secret ID, for a secret added to app '{app}'.",
        status=401,
    ),
    7000216: Known(
        "invalid_request",
        "'client_assertion', 'client_secret' or 'request' is required for the "
        "'client_credentials' grant type.",
    ),
    7000218: Known(
        "invalid_client",
        "The request body must contain the following parameter: 'client_assertion' or "
        "'client_secret'.",
        status=401,
    ),
    7000222: Known(
        "invalid_client",
        "The provided client secret keys for app '{app}' are expired. Visit the Azure portal to "
        "create new keys for your app: https://aka.ms/NewClientSecret, or consider using "
        "certificate credentials for added security: https://aka.ms/certCreds.",
        status=401,
    ),
    # Temporary failures.
    50033: Known(
        "temporarily_unavailable", "A transient error has occurred. Please try again.", status=503
    ),
    50087: Known("invalid_grant", "A transient error has occurred. Please try again."),
    70012: Known(
        "server_error",
        "A server error occurred while authenticating an MSA (consumer) user.",
        status=500,
    ),
    80002: Known("invalid_grant", "Password validation request timed out."),
    80005: Known(
        "invalid_grant",
        "An unknown error occurred while processing the response from the Authentication Agent.",
    ),
    80014: Known(
        "invalid_grant",
        "Validation request responded after maximum elapsed time exceeded.",
    ),
    50196: Known(
        "invalid_grant",
        "The server terminated an operation because it encountered a client request loop. Please "
        "contact your app vendor.",
    ),
    90006: Known("server_error", "The service encountered an internal error.", status=500),
    90012: Known("server_error", "The request has timed out. Please try again.", status=504),
    90024: Known(
        "temporarily_unavailable", "A transient error has occurred. Please try again.", status=503
    ),
    90033: Known(
        "temporarily_unavailable", "A transient error has occurred. Please try again.", status=503
    ),
    90055: Known(
        "temporarily_unavailable",
        "The server terminated an operation because it encountered too many requests.",
        status=429,
    ),
}
