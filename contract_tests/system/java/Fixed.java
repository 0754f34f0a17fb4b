import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;

/** A client with a fixed host: what it trusts, and its proxy, are in JAVA_TOOL_OPTIONS. */
public class Fixed {
    public static void main(String[] args) throws Exception {
        URI uri = URI.create("https://global.ems.coinapi.net/v1/balances?apikey=00000000-EMPTY-KEY");
        HttpClient client = HttpClient.newHttpClient();
        System.out.println(client.send(HttpRequest.newBuilder(uri).build(), BodyHandlers.ofString()).body());
    }
}
