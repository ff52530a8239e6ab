// TLS, SASL and authorisation. One row a setting, in the order of their names.
#include "server/settings_table.h"

namespace millrace::server {
namespace {

constexpr Setting kSettings[] = {
    string("authorizer.class.name", "", "Java class that decides who may do what.")
        .refused(kNoAuthorizer),
    integer("connection.failed.authentication.delay.ms", "100",
            "Delay before a failed authentication is answered.")
        .within(at_least(0))
        .accepted(kNoSasl),
    long_integer("connections.max.reauth.ms", "0",
                 "How long a login holds on a connection; 0 for ever.")
        .accepted(kNoSasl),
    class_name("sasl.client.callback.handler.class", kNull,
               "Java class that supplies a client's credentials.")
        .accepted(kNoSasl),
    list("sasl.enabled.mechanisms", "GSSAPI", "SASL mechanisms on offer.")
        .accepted(kNoSasl)
        .per_broker(),
    password("sasl.jaas.config", kNull, "Login settings in JAAS form.")
        .accepted(kNoSasl)
        .per_broker(),
    string("sasl.kerberos.kinit.cmd", "/usr/bin/kinit", "Path of kinit.")
        .accepted(kNoSasl)
        .per_broker(),
    long_integer("sasl.kerberos.min.time.before.relogin", "60000",
                 "Shortest time between two Kerberos logins.")
        .accepted(kNoSasl)
        .per_broker(),
    list("sasl.kerberos.principal.to.local.rules", "DEFAULT",
         "Rules from Kerberos principals to short names.")
        .accepted(kNoSasl)
        .per_broker(),
    string("sasl.kerberos.service.name", kNull, "Kerberos name of the broker.")
        .accepted(kNoSasl)
        .per_broker(),
    real("sasl.kerberos.ticket.renew.jitter", "0.05",
         "Share of random time added to renewals of tickets.")
        .accepted(kNoSasl)
        .per_broker(),
    real("sasl.kerberos.ticket.renew.window.factor", "0.8",
         "Share of a ticket's life after which it is renewed.")
        .accepted(kNoSasl)
        .per_broker(),
    class_name("sasl.login.callback.handler.class", kNull,
               "Java class that supplies the broker's own credentials.")
        .accepted(kNoSasl),
    class_name("sasl.login.class", kNull, "Java class that logs the broker in.").accepted(kNoSasl),
    integer("sasl.login.connect.timeout.ms", kNull,
            "Longest wait for a connection to the login provider.")
        .accepted(kNoSasl),
    integer("sasl.login.read.timeout.ms", kNull, "Longest wait for the login provider's answer.")
        .accepted(kNoSasl),
    short_integer("sasl.login.refresh.buffer.seconds", "300",
                  "Time before expiry within which a token is renewed.")
        .accepted(kNoSasl)
        .per_broker(),
    short_integer("sasl.login.refresh.min.period.seconds", "60",
                  "Shortest time between two renewals of a token.")
        .accepted(kNoSasl)
        .per_broker(),
    real("sasl.login.refresh.window.factor", "0.8",
         "Share of a token's life after which it is renewed.")
        .accepted(kNoSasl)
        .per_broker(),
    real("sasl.login.refresh.window.jitter", "0.05",
         "Share of random time added to renewals of tokens.")
        .accepted(kNoSasl)
        .per_broker(),
    long_integer("sasl.login.retry.backoff.max.ms", "10000",
                 "Longest pause between attempts to log in.")
        .accepted(kNoSasl),
    long_integer("sasl.login.retry.backoff.ms", "100", "First pause between attempts to log in.")
        .accepted(kNoSasl),
    string("sasl.mechanism.controller.protocol", "GSSAPI", "SASL mechanism towards controllers.")
        .accepted(kNoSasl),
    string("sasl.mechanism.inter.broker.protocol", "GSSAPI", "SASL mechanism among brokers.")
        .accepted(kNoSasl)
        .per_broker(),
    string("sasl.oauthbearer.assertion.algorithm", "RS256", "Algorithm that signs the assertion.")
        .within(one_of_ignoring_case("ES256,RS256"))
        .accepted(kNoSasl),
    string("sasl.oauthbearer.assertion.claim.aud", kNull, "Audience named in the assertion.")
        .accepted(kNoSasl),
    integer("sasl.oauthbearer.assertion.claim.exp.seconds", "300", "How long the assertion holds.")
        .within(between(0, 86400))
        .accepted(kNoSasl),
    string("sasl.oauthbearer.assertion.claim.iss", kNull, "Issuer named in the assertion.")
        .accepted(kNoSasl),
    boolean("sasl.oauthbearer.assertion.claim.jti.include", "false",
            "Whether the assertion carries an id of its own.")
        .accepted(kNoSasl),
    integer("sasl.oauthbearer.assertion.claim.nbf.seconds", "60",
            "How far in the past the assertion begins to hold.")
        .within(between(0, 3600))
        .accepted(kNoSasl),
    string("sasl.oauthbearer.assertion.claim.sub", kNull, "Subject named in the assertion.")
        .accepted(kNoSasl),
    string("sasl.oauthbearer.assertion.file", kNull, "File that holds a finished assertion.")
        .accepted(kNoSasl),
    string("sasl.oauthbearer.assertion.private.key.file", kNull,
           "File of the key that signs the assertion.")
        .accepted(kNoSasl),
    password("sasl.oauthbearer.assertion.private.key.passphrase", kNull, "Passphrase of that key.")
        .accepted(kNoSasl),
    string("sasl.oauthbearer.assertion.template.file", kNull,
           "File with claims to put into the assertion.")
        .accepted(kNoSasl),
    string("sasl.oauthbearer.client.credentials.client.id", kNull,
           "Name under which a token is asked for.")
        .accepted(kNoSasl),
    password("sasl.oauthbearer.client.credentials.client.secret", kNull,
             "Secret with which a token is asked for.")
        .accepted(kNoSasl),
    integer("sasl.oauthbearer.clock.skew.seconds", "30",
            "Difference allowed between the provider's clock and ours.")
        .accepted(kNoSasl),
    list("sasl.oauthbearer.expected.audience", "", "Audiences of which a token must name one.")
        .accepted(kNoSasl),
    string("sasl.oauthbearer.expected.issuer", kNull, "Issuer that a token must name.")
        .accepted(kNoSasl),
    long_integer("sasl.oauthbearer.jwks.endpoint.refresh.ms", "3600000",
                 "Time between two fetches of the provider's keys.")
        .accepted(kNoSasl),
    long_integer("sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms", "10000",
                 "Longest pause between attempts to fetch the keys.")
        .accepted(kNoSasl),
    long_integer("sasl.oauthbearer.jwks.endpoint.retry.backoff.ms", "100",
                 "First pause between attempts to fetch the keys.")
        .accepted(kNoSasl),
    string("sasl.oauthbearer.jwks.endpoint.url", kNull, "Where the provider's keys are found.")
        .accepted(kNoSasl),
    class_name("sasl.oauthbearer.jwt.retriever.class",
               "org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever",
               "Java class that fetches tokens.")
        .accepted(kNoSasl),
    class_name("sasl.oauthbearer.jwt.validator.class",
               "org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator",
               "Java class that checks tokens.")
        .accepted(kNoSasl),
    string("sasl.oauthbearer.scope", kNull, "Scope asked for with a token.").accepted(kNoSasl),
    string("sasl.oauthbearer.scope.claim.name", "scope", "Claim that holds the scope.")
        .accepted(kNoSasl),
    string("sasl.oauthbearer.sub.claim.name", "sub", "Claim that holds the user's name.")
        .accepted(kNoSasl),
    string("sasl.oauthbearer.token.endpoint.url", kNull, "Where tokens are asked for.")
        .accepted(kNoSasl),
    class_name("sasl.server.callback.handler.class", kNull, "Java class that checks credentials.")
        .accepted(kNoSasl),
    integer("sasl.server.max.receive.size", "524288", "Largest message of a login.")
        .accepted(kNoSasl),
    string("security.inter.broker.protocol", "PLAINTEXT", "Protocol among brokers.")
        .within(one_of("PLAINTEXT,SSL,SASL_PLAINTEXT,SASL_SSL"))
        .refused(kNoTls),
    string("security.providers", kNull, "Java classes that supply security algorithms.")
        .accepted(kNoTls),
    boolean("ssl.allow.dn.changes", "false", "Let a renewed certificate change its name.")
        .accepted(kNoTls),
    boolean("ssl.allow.san.changes", "false",
            "Let a renewed certificate change its alternative names.")
        .accepted(kNoTls),
    list("ssl.cipher.suites", "", "Cipher suites on offer.").accepted(kNoTls).per_broker(),
    string("ssl.client.auth", "none", "Whether clients must show a certificate.")
        .within(one_of("required,requested,none"))
        .accepted(kNoTls)
        .per_broker(),
    list("ssl.enabled.protocols", "TLSv1.2,TLSv1.3", "Versions of TLS on offer.")
        .accepted(kNoTls)
        .per_broker(),
    string("ssl.endpoint.identification.algorithm", "https",
           "How the name in a server's certificate is checked.")
        .accepted(kNoTls)
        .per_broker(),
    class_name("ssl.engine.factory.class", kNull, "Java class that makes TLS engines.")
        .accepted(kNoTls)
        .per_broker(),
    password("ssl.key.password", kNull, "Password of the private key.")
        .accepted(kNoTls)
        .per_broker(),
    string("ssl.keymanager.algorithm", "SunX509", "Algorithm of Java's key manager.")
        .accepted(kNoTls)
        .per_broker(),
    password("ssl.keystore.certificate.chain", kNull, "Certificate chain in PEM.")
        .accepted(kNoTls)
        .per_broker(),
    password("ssl.keystore.key", kNull, "Private key in PEM.").accepted(kNoTls).per_broker(),
    string("ssl.keystore.location", kNull, "File of the key store.").accepted(kNoTls).per_broker(),
    password("ssl.keystore.password", kNull, "Password of the key store.")
        .accepted(kNoTls)
        .per_broker(),
    string("ssl.keystore.type", "JKS", "Format of the key store.").accepted(kNoTls).per_broker(),
    string("ssl.principal.mapping.rules", "DEFAULT",
           "Rules from names in certificates to user names.")
        .accepted(kNoTls),
    string("ssl.protocol", "TLSv1.3", "Version of TLS.").accepted(kNoTls).per_broker(),
    string("ssl.provider", kNull, "Java's provider of TLS.").accepted(kNoTls).per_broker(),
    string("ssl.secure.random.implementation", kNull, "Java's source of random numbers for TLS.")
        .accepted(kNoTls)
        .per_broker(),
    string("ssl.trustmanager.algorithm", "PKIX", "Algorithm of Java's trust manager.")
        .accepted(kNoTls)
        .per_broker(),
    password("ssl.truststore.certificates", kNull, "Trusted certificates in PEM.")
        .accepted(kNoTls)
        .per_broker(),
    string("ssl.truststore.location", kNull, "File of the trust store.")
        .accepted(kNoTls)
        .per_broker(),
    password("ssl.truststore.password", kNull, "Password of the trust store.")
        .accepted(kNoTls)
        .per_broker(),
    string("ssl.truststore.type", "JKS", "Format of the trust store.")
        .accepted(kNoTls)
        .per_broker(),
};

}  // namespace

std::span<const Setting> security_settings() {
  return kSettings;
}

}  // namespace millrace::server
