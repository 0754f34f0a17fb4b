package org.testcontainers.containers.wait.strategy;

public class Wait {
    public static Wait forHttp(String path) {
        return new Wait();
    }
}
