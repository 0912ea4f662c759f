import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.Date;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Timestamp;
import java.sql.Types;

/** Asks as a Java program or a BI tool asks: with parameters, again and again, and piece by piece. */
public final class Ask {
    public static void main(String[] arguments) throws SQLException {
        try (Connection connection = DriverManager.getConnection(arguments[0])) {
            parameters(connection);
            pieces(connection);
            failures(connection);
        }
    }

    /** More often than the driver's threshold, from which on it prepares by name and takes binary values. */
    private static void parameters(Connection connection) throws SQLException {
        String query = "select ? as n, ? as name, ? as day, ? as instant, ? as is_it, ? as amount, cast(? as int) as none";
        try (PreparedStatement statement = connection.prepareStatement(query)) {
            String last = null;
            String kind = null;
            for (int turn = 0; turn < 8; turn++) {
                statement.setInt(1, 7);
                statement.setString(2, "渝北");
                statement.setDate(3, Date.valueOf("2024-03-05"));
                statement.setTimestamp(4, Timestamp.valueOf("2024-03-05 09:12:33"));
                statement.setBoolean(5, true);
                statement.setBigDecimal(6, new BigDecimal("12.50"));
                statement.setNull(7, Types.INTEGER);
                try (ResultSet rows = statement.executeQuery()) {
                    rows.next();
                    String row = rows.getInt(1) + " " + rows.getString(2) + " " + rows.getDate(3) + " "
                        + rows.getTimestamp(4).toLocalDateTime() + " " + rows.getBoolean(5) + " " + rows.getBigDecimal(6);
                    kind = (rows.getMetaData().getColumnType(7) == Types.INTEGER ? "INTEGER" : "another type")
                        + " " + rows.getObject(7);
                    if (last != null && !last.equals(row)) {
                        System.out.println("turn " + turn + " differs: " + row);
                    }
                    last = row;
                }
            }
            System.out.println(last);
            System.out.println(kind);
        }
    }

    private static void pieces(Connection connection) throws SQLException {
        connection.setAutoCommit(false);
        String query = "select value from generate_series(1, 300000) where value <= ? order by 1";
        try (PreparedStatement statement = connection.prepareStatement(query)) {
            statement.setFetchSize(1000);
            statement.setLong(1, 200_000);
            long rows = 0;
            try (ResultSet all = statement.executeQuery()) {
                while (all.next()) {
                    rows += all.getLong(1) == rows + 1 ? 1 : 0;
                }
            }
            System.out.println(rows + " rows");
        }
        connection.commit();
        connection.setAutoCommit(true);
    }

    private static void failures(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            try {
                statement.executeQuery("select nonsense from events");
            } catch (SQLException error) {
                System.out.println(error.getSQLState());
            }
            statement.setQueryTimeout(1);
            try {
                statement.executeQuery("select count(*) from generate_series(1, 10000000) a cross join generate_series(1, 10000000) b");
            } catch (SQLException error) {
                System.out.println(error.getSQLState());
            }
            try (ResultSet one = statement.executeQuery("select 1")) {
                one.next();
                System.out.println(one.getInt(1));
            }
        }
    }
}
