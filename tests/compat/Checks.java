import java.time.Duration;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AdminClientConfig;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.KafkaFuture;

/**
 * What the client programs have in common: an admin client, and checks, each of which ends in a line, {@code ok NAME} or
 * {@code FAILED NAME: why}.
 */
abstract class Checks {
  static final long TIMEOUT_S = 25;

  interface Check {
    void run() throws Exception;
  }

  final String bootstrap;
  final String prefix;
  final Admin admin;
  /** Said behind the name of the check that is running. */
  String note = "";
  private boolean failed = false;

  Checks(String bootstrap, String prefix) {
    this.bootstrap = bootstrap;
    this.prefix = prefix;
    this.admin = Admin.create(Map.of(AdminClientConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap,
        AdminClientConfig.REQUEST_TIMEOUT_MS_CONFIG, 10_000, AdminClientConfig.DEFAULT_API_TIMEOUT_MS_CONFIG, 20_000));
  }

  void check(String name, Check check) {
    try {
      note = "";
      check.run();
      System.out.println("ok " + name + (note.isEmpty() ? "" : " # " + note));
    } catch (Throwable error) {
      failed = true;
      Throwable cause = error instanceof ExecutionException ? error.getCause() : error;
      String where = "";
      for (StackTraceElement element : error.getStackTrace()) {
        if (element.getClassName().startsWith(getClass().getName())) {
          where = " (line " + element.getLineNumber() + ")";
          break;
        }
      }
      System.out.println("FAILED " + name + ": "
          + (cause.getClass().getSimpleName() + " " + cause.getMessage()).replace('\n', ' ') + where);
    }
    System.out.flush();
  }

  /** Ends the process, with 1 where a check has failed. */
  void end() {
    admin.close(Duration.ofSeconds(5));
    System.exit(failed ? 1 : 0);
  }

  static void same(Object got, Object wanted, String what) {
    if (!Objects.equals(got, wanted)) throw new AssertionError(what + ": got " + got + ", wanted " + wanted);
  }

  static void require(boolean condition, String what) {
    if (!condition) throw new AssertionError(what);
  }

  static <T> T get(KafkaFuture<T> future) throws Exception {
    return future.get(TIMEOUT_S, TimeUnit.SECONDS);
  }

  static void fails(Class<? extends Exception> wanted, Check check) throws Exception {
    Throwable got = null;
    try {
      check.run();
    } catch (ExecutionException error) {
      got = error.getCause();
    } catch (KafkaException error) {
      got = error;
    }
    same(got == null ? "none" : got.getClass().getSimpleName(), wanted.getSimpleName(), "error");
  }
}
