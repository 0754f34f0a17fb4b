import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.security.MessageDigest;
import java.time.Instant;
import java.util.HexFormat;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/** Reads the payment gateway and prints its rows: java Portfolio.java */
public class Portfolio {
    public static void main(String[] args) throws Exception {
        String now = String.valueOf(Instant.now().getEpochSecond());
        byte[] empty = MessageDigest.getInstance("SHA-256").digest();
        String text = String.join("\n", now, "GET", "/v1/balances", "", HexFormat.of().formatHex(empty));
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(System.getenv("CPG_SECRET").getBytes(), "HmacSHA256"));
        HttpRequest request = HttpRequest.newBuilder(URI.create(System.getenv("CPG_BASE_URL") + "/v1/balances"))
                .header("X-CPG-Key", System.getenv("CPG_KEY_ID"))
                .header("X-CPG-Timestamp", now)
                .header("X-CPG-Signature", HexFormat.of().formatHex(mac.doFinal(text.getBytes())))
                .build();
        var response = HttpClient.newHttpClient().send(request, BodyHandlers.ofString());
        System.out.println(response.statusCode() + " " + response.body());
    }
}
